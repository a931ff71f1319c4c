// SPDX-License-Identifier: Apache-2.0

// Package signer turns payload bytes into TUF signatures, wherever the key lives.
//
// [Open] finds the key that a reference names and [Sign] makes a signature with it.
// Every signature is verified, in the way in which go-tuf verifies metadata, before
// it is returned.
//
// # References
//
//	file:PATH   an encrypted private key file (package keys tells its form)
//	PATH        the same
//	env:NAME    the text of such a file in the environment variable NAME
//
// Any other scheme is refused with [ErrUnknownScheme]; no reference ever starts a
// program. New schemes may be added, these keep their meaning.
package signer

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/waybill-project/waybill/keys"
)

// ErrUnknownScheme reports a reference whose scheme is not one of those in the
// package comment. The text names those that are.
var ErrUnknownScheme = errors.New("unknown scheme of key reference")

// Signer is a private key that may live anywhere.
type Signer interface {
	// Public returns the public key: ed25519.PublicKey, *ecdsa.PublicKey or
	// *rsa.PublicKey.
	Public() crypto.PublicKey
	// Sign returns the raw signature of payload as TUF defines it for the kind of
	// key: pure Ed25519; ASN.1 DER over SHA-256 for ECDSA on P-256; RSASSA-PSS with
	// SHA-256 for RSA.
	Sign(ctx context.Context, payload []byte) ([]byte, error)
}

// KeyError reports that a key could not be opened or used. Err is the signer's own
// error.
type KeyError struct {
	Ref string // the reference; the key id (or its kind) where there is none
	Err error
}

func (e *KeyError) Error() string { return fmt.Sprintf("key %s: %v", e.Ref, e.Err) }

// Unwrap returns the cause.
func (e *KeyError) Unwrap() error { return e.Err }

// Sign signs payload, which is the canonical JSON of the signed part of some metadata,
// and returns the signature under the key's id. A signature that does not verify with
// the key's own record is never returned. Every error is a [*KeyError].
func Sign(ctx context.Context, s Signer, payload []byte) (metadata.Signature, error) {
	record, err := keys.Record(s.Public())
	if err != nil {
		return metadata.Signature{}, &KeyError{Ref: fmt.Sprintf("%T", s.Public()), Err: err}
	}
	id, err := keys.ID(record)
	if err != nil {
		return metadata.Signature{}, &KeyError{Ref: record.Type, Err: err}
	}
	raw, err := s.Sign(ctx, payload)
	if err == nil {
		err = verify(record, payload, raw)
	}
	if err == nil {
		return metadata.Signature{KeyID: id, Signature: raw}, nil
	}
	if _, named := errors.AsType[*KeyError](err); !named {
		err = &KeyError{Ref: id, Err: err}
	}
	return metadata.Signature{}, err
}

// local is a private key in memory.
type local struct {
	ref string
	pub crypto.PublicKey
	signature.Signer
}

func newLocal(ref string, priv crypto.Signer) (*local, error) {
	s, err := load(priv)
	if err != nil {
		return nil, err
	}
	return &local{ref: ref, pub: priv.Public(), Signer: s}, nil
}

// load picks by kind of key; the library's generic loader would sign with RSA PKCS #1
// v1.5 or another hash, which no TUF client verifies.
func load(priv crypto.Signer) (signature.Signer, error) {
	switch k := priv.(type) {
	case ed25519.PrivateKey:
		return signature.LoadED25519Signer(k)
	case *ecdsa.PrivateKey:
		return signature.LoadECDSASigner(k, crypto.SHA256)
	}
	return nil, fmt.Errorf("%w: cannot sign with %T", keys.ErrUnsupported, priv)
}

func (l *local) Public() crypto.PublicKey { return l.pub }

func (l *local) Sign(ctx context.Context, payload []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, &KeyError{Ref: l.ref, Err: err}
	}
	raw, err := l.SignMessage(bytes.NewReader(payload))
	if err != nil {
		return nil, &KeyError{Ref: l.ref, Err: err}
	}
	return raw, nil
}
