// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	_ "embed"
	"encoding/hex"
	"encoding/pem"
	"math/big"
)

// key signs as a fixed key; the same name gives the same key.
type key struct {
	id     string
	record object
	sign   func([]byte) string // hex
}

// record makes a key record; its id is the hash of its canonical form.
func newKey(typ, scheme, public string, sign func([]byte) string) *key {
	k := &key{record: object{"keytype": typ, "scheme": scheme, "keyval": object{"public": public}}, sign: sign}
	k.id = keyID(k.record)
	return k
}

func keyID(record object) string {
	sum := sha256.Sum256(canonical(marshal(record)))
	return hex.EncodeToString(sum[:])
}

// as returns the same key under another id.
func (k *key) as(id string) *key {
	return &key{id: id, record: k.record, sign: k.sign}
}

// with returns the same key with another record, and the id of that record.
func (k *key) with(typ, scheme, public string) *key {
	return newKey(typ, scheme, public, k.sign)
}

func (k *key) public() string { return k.record["keyval"].(object)["public"].(string) }

func seed(name string) [32]byte { return sha256.Sum256([]byte("conformance key " + name)) }

func edPrivate(name string) ed25519.PrivateKey {
	s := seed(name)
	return ed25519.NewKeyFromSeed(s[:])
}

func edKey(name string) *key {
	private := edPrivate(name)
	public := hex.EncodeToString(private.Public().(ed25519.PublicKey))
	return newKey("ed25519", "ed25519", public, func(b []byte) string {
		return hex.EncodeToString(ed25519.Sign(private, b))
	})
}

func ecPrivate(curve elliptic.Curve, name string) *ecdsa.PrivateKey {
	s := seed(name)
	d := make([]byte, (curve.Params().BitSize+7)/8)
	copy(d[len(d)-len(s):], s[:])
	private, err := ecdsa.ParseRawPrivateKey(curve, d)
	if err != nil {
		panic(err)
	}
	return private
}

// ecSign is deterministic (RFC 6979).
func ecSign(private *ecdsa.PrivateKey, digest []byte, h crypto.Hash) []byte {
	sig, err := private.Sign(nil, digest, h)
	if err != nil {
		panic(err)
	}
	return sig
}

func p256Key(name string) *key {
	private := ecPrivate(elliptic.P256(), name)
	return newKey("ecdsa", "ecdsa-sha2-nistp256", publicPEM(private.Public()), func(b []byte) string {
		sum := sha256.Sum256(b)
		return hex.EncodeToString(ecSign(private, sum[:], crypto.SHA256))
	})
}

func p384Key(name string) *key {
	private := ecPrivate(elliptic.P384(), name)
	return newKey("ecdsa", "ecdsa-sha2-nistp384", publicPEM(private.Public()), func(b []byte) string {
		sum := sha512.Sum384(b)
		return hex.EncodeToString(ecSign(private, sum[:], crypto.SHA384))
	})
}

func publicPEM(public crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// The RSA keys are fixed because they cannot be derived from a seed. They protect
// nothing.
//
//go:embed rsa2048.pem
var rsa2048 []byte

//go:embed rsa1024.pem
var rsa1024 []byte

func rsaPrivate(text []byte) *rsa.PrivateKey {
	block, _ := pem.Decode(text)
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		panic(err)
	}
	return k.(*rsa.PrivateKey)
}

// rsaKey signs with PSS and a fixed salt of the given length.
func rsaKey(text []byte, salt int) *key {
	private := rsaPrivate(text)
	return newKey("rsa", "rsassa-pss-sha256", publicPEM(private.Public()), func(b []byte) string {
		return hex.EncodeToString(signPSS(private, b, make([]byte, salt)))
	})
}

// signPSS is RSASSA-PSS-SIGN of RFC 8017 with SHA-256, MGF1 and a salt that the
// caller chooses, which crypto/rsa does not offer.
func signPSS(private *rsa.PrivateKey, message, salt []byte) []byte {
	bits := private.N.BitLen() - 1
	size := (bits + 7) / 8
	digest := sha256.Sum256(message)
	h := sha256.Sum256(append(append(make([]byte, 8), digest[:]...), salt...))
	db := make([]byte, size-len(h)-1)
	db[len(db)-len(salt)-1] = 1
	copy(db[len(db)-len(salt):], salt)
	for i, b := range mgf1(h[:], len(db)) {
		db[i] ^= b
	}
	db[0] &= 0xff >> (8*size - bits)
	em := new(big.Int).SetBytes(append(append(db, h[:]...), 0xbc))
	return em.Exp(em, private.D, private.N).FillBytes(make([]byte, private.Size()))
}

func mgf1(seed []byte, n int) []byte {
	var out []byte
	for i := byte(0); len(out) < n; i++ {
		h := sha256.Sum256(append(append([]byte{}, seed...), 0, 0, 0, i))
		out = append(out, h[:]...)
	}
	return out[:n]
}
