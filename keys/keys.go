// SPDX-License-Identifier: Apache-2.0

// Package keys says what a signing key is: which kinds there are, how each is
// stored in a file, and how The Update Framework (TUF) names it.
//
// The kinds that Waybill makes are Ed25519 and ECDSA on P-256. RSA keys of 2048
// to 8192 bits are accepted as public keys, so that foreign repositories can be
// described. Everything else is refused by name with [ErrUnsupported].
//
// To make a key: [Generate], [Encrypt], [WritePrivate] and [EncodePublic]. To use
// one: [ReadPrivate] and [Decrypt], or package signer, which does both. To name one
// in metadata: [Record] and [ID].
//
// # Files
//
// A public key file holds one PEM block "PUBLIC KEY" (SubjectPublicKeyInfo,
// RFC 5280) and nothing else. A private key file holds one PEM block "ENCRYPTED
// SIGSTORE PRIVATE KEY" as cosign writes it: a JSON envelope with scrypt as key
// derivation and NaCl secretbox over PKCS #8 (RFC 5208). The older label "ENCRYPTED
// COSIGN PRIVATE KEY" is read too. Both files stay readable and writable by cosign.
package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// ErrUnsupported reports a key of a kind, size or encoding that is not accepted. The
// text names it.
var ErrUnsupported = errors.New("unsupported key")

// Type is a kind of key that [Generate] makes.
type Type string

// The kinds of key that Waybill makes.
const (
	Ed25519 Type = "ed25519" // RFC 8032, pure
	ECDSA   Type = "ecdsa"   // P-256 with SHA-256, ASN.1 DER signatures
)

const (
	minRSA = 2048
	maxRSA = 8192 // larger moduli only cost every verifier time
)

// Generate makes a new private key from the system's random source.
func Generate(t Type) (crypto.Signer, error) {
	switch t {
	case Ed25519:
		_, priv, err := ed25519.GenerateKey(rand.Reader)
		return priv, err
	case ECDSA:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return nil, fmt.Errorf("%w: type %q (known: %s, %s)", ErrUnsupported, t, Ed25519, ECDSA)
}

// Record returns the TUF key record of pub (TUF specification 1.0.34, section 4.2).
// RSA records carry the scheme rsassa-pss-sha256.
func Record(pub crypto.PublicKey) (*metadata.Key, error) {
	if err := check(pub); err != nil {
		return nil, err
	}
	return metadata.KeyFromPublicKey(pub)
}

// ID returns the key id that other TUF implementations compute: the lower-case hex
// SHA-256 of the record's canonical JSON.
func ID(k *metadata.Key) (string, error) {
	if k == nil {
		return "", fmt.Errorf("%w: no key record", ErrUnsupported)
	}
	// Key.ID remembers its first answer, which would outlive a change of the record.
	fresh := metadata.Key{Type: k.Type, Scheme: k.Scheme, Value: k.Value, UnrecognizedFields: k.UnrecognizedFields}
	return fresh.ID()
}

func check(pub crypto.PublicKey) error {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return fmt.Errorf("%w: Ed25519 key of %d bytes, not %d", ErrUnsupported, len(k), ed25519.PublicKeySize)
		}
		return nil
	case *ecdsa.PublicKey:
		return checkECDSA(k)
	case *rsa.PublicKey:
		return checkRSA(k)
	case nil:
		return fmt.Errorf("%w: no key", ErrUnsupported)
	}
	return fmt.Errorf("%w: %T", ErrUnsupported, pub)
}

func checkECDSA(k *ecdsa.PublicKey) error {
	if k == nil || k.Curve == nil {
		return fmt.Errorf("%w: ECDSA key without a curve", ErrUnsupported)
	}
	// go-tuf labels every curve nistp256, so the curve is settled before it sees the key.
	if k.Curve != elliptic.P256() {
		return fmt.Errorf("%w: ECDSA on %s (only P-256)", ErrUnsupported, k.Curve.Params().Name)
	}
	//lint:ignore SA1019 the supported calls panic on a key without a point
	if k.X == nil || k.Y == nil {
		return fmt.Errorf("%w: ECDSA key without a point", ErrUnsupported)
	}
	if _, err := k.ECDH(); err != nil {
		return fmt.Errorf("%w: ECDSA: %w", ErrUnsupported, err)
	}
	return nil
}

func checkRSA(k *rsa.PublicKey) error {
	if k == nil || k.N == nil {
		return fmt.Errorf("%w: RSA key without a modulus", ErrUnsupported)
	}
	if n := k.N.BitLen(); n < minRSA || n > maxRSA {
		return fmt.Errorf("%w: RSA of %d bits (%d to %d)", ErrUnsupported, n, minRSA, maxRSA)
	}
	return nil
}
