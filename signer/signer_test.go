// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/waybill-project/waybill/keys"
)

// fake stands for a key that lives elsewhere.
type fake struct {
	pub  crypto.PublicKey
	sign func(payload []byte) ([]byte, error)
}

func (f fake) Public() crypto.PublicKey { return f.pub }
func (f fake) Sign(_ context.Context, payload []byte) ([]byte, error) {
	return f.sign(payload)
}

func generate(t *testing.T, typ keys.Type) crypto.Signer {
	t.Helper()
	priv, err := keys.Generate(typ)
	if err != nil {
		t.Fatal(err)
	}
	return priv
}

// hashed signs as a token does: over the digest, with the token's own options.
func hashed(priv crypto.Signer, h crypto.Hash, opts crypto.SignerOpts) fake {
	return fake{priv.Public(), func(payload []byte) ([]byte, error) {
		if h == 0 {
			return priv.Sign(rand.Reader, payload, opts)
		}
		d := h.New()
		d.Write(payload)
		return priv.Sign(rand.Reader, d.Sum(nil), opts)
	}}
}

func TestSignIsAcceptedByGoTUF(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pss := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	signers := map[string]Signer{"rsa, elsewhere": hashed(rsaKey, crypto.SHA256, pss)}
	for _, typ := range []keys.Type{keys.Ed25519, keys.ECDSA} {
		if signers[string(typ)], err = newLocal("test", generate(t, typ)); err != nil {
			t.Fatal(err)
		}
	}
	for name, s := range signers {
		root := metadata.Root(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
		record, err := keys.Record(s.Public())
		if err != nil {
			t.Fatal(err)
		}
		if err := root.Signed.AddKey(record, metadata.ROOT); err != nil {
			t.Fatal(err)
		}
		payload, err := cjson.EncodeCanonical(root.Signed)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := Sign(t.Context(), s, payload)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		root.Signatures = append(root.Signatures, sig)
		if err := root.VerifyDelegate(metadata.ROOT, root); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSignRefusesBadSignatures(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ed, p256 := generate(t, keys.Ed25519), generate(t, keys.ECDSA)
	constant := func(pub crypto.PublicKey, raw []byte) fake {
		return fake{pub, func([]byte) ([]byte, error) { return raw, nil }}
	}
	for name, s := range map[string]Signer{
		"ed25519ph":        hashed(ed, crypto.SHA512, crypto.SHA512),
		"ed25519, empty":   constant(ed.Public(), nil),
		"ed25519, zeros":   constant(ed.Public(), make([]byte, 64)),
		"ed25519, long":    constant(ed.Public(), make([]byte, 65)),
		"ecdsa, SHA-384":   hashed(p256, crypto.SHA384, crypto.SHA384),
		"ecdsa, raw r||s":  constant(p256.Public(), make([]byte, 64)),
		"ecdsa, empty":     constant(p256.Public(), nil),
		"rsa, PKCS #1":     hashed(rsaKey, crypto.SHA256, crypto.SHA256),
		"another key":      fake{ed.Public(), hashed(generate(t, keys.Ed25519), 0, crypto.Hash(0)).sign},
		"another kind":     fake{ed.Public(), hashed(p256, crypto.SHA256, crypto.SHA256).sign},
		"signs other text": fake{ed.Public(), func([]byte) ([]byte, error) { return ed.Sign(nil, []byte("other"), crypto.Hash(0)) }},
	} {
		sig, err := Sign(t.Context(), s, []byte("payload"))
		if keyErr, ok := errors.AsType[*KeyError](err); !ok || !errors.Is(err, ErrBadSignature) || len(keyErr.Ref) != 64 {
			t.Errorf("%s: %v", name, err)
		}
		if sig.Signature != nil || sig.KeyID != "" {
			t.Errorf("%s: returned %v", name, sig)
		}
	}
}

func TestSignRefusesKinds(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	called := false
	for name, pub := range map[string]crypto.PublicKey{
		"nil": nil, "P-384": p384.Public(), "short": ed25519.PublicKey{1},
	} {
		_, err := Sign(t.Context(), fake{pub, func([]byte) ([]byte, error) { called = true; return nil, nil }}, nil)
		if keyErr, ok := errors.AsType[*KeyError](err); !ok || !errors.Is(keyErr, keys.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if called {
		t.Error("a key of an unsupported kind was asked to sign")
	}
}

func TestSignKeepsTheCause(t *testing.T) {
	cause := errors.New("token: PIN locked")
	pub := generate(t, keys.Ed25519).Public()
	_, err := Sign(t.Context(), fake{pub, func([]byte) ([]byte, error) { return nil, cause }}, nil)
	if keyErr, ok := errors.AsType[*KeyError](err); !ok || keyErr.Err != cause {
		t.Errorf("plain cause: %v", err)
	}
	_, err = Sign(t.Context(), fake{pub, func([]byte) ([]byte, error) { return nil, &KeyError{Ref: "token:1", Err: cause} }}, nil)
	if keyErr, ok := errors.AsType[*KeyError](err); !ok || keyErr.Ref != "token:1" || keyErr.Err != cause {
		t.Errorf("named cause: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l, err := newLocal("file:root.key", generate(t, keys.Ed25519))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Sign(ctx, l, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestEd25519IsPure(t *testing.T) {
	priv := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	l, err := newLocal("test", priv)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := l.Sign(t.Context(), []byte("payload"))
	if err != nil || !bytes.Equal(raw, ed25519.Sign(priv, []byte("payload"))) {
		t.Errorf("%x, %v", raw, err)
	}
	p256 := generate(t, keys.ECDSA)
	if l, err = newLocal("test", p256); err != nil {
		t.Fatal(err)
	}
	raw, err = l.Sign(t.Context(), []byte("payload"))
	digest := sha256.Sum256([]byte("payload"))
	if err != nil || !ecdsa.VerifyASN1(p256.Public().(*ecdsa.PublicKey), digest[:], raw) {
		t.Errorf("%x, %v", raw, err)
	}
}
