// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The ids were computed outside Go, from the specification's text: canonical JSON of
// keytype, scheme and keyval, then SHA-256.
func TestID(t *testing.T) {
	for _, c := range []struct{ file, keytype, scheme, id string }{
		{"ed25519.pub", "ed25519", "ed25519", "748a031656dcf38688f8cf7c6ff1fd44beb20ff14a4885cc904f25c1e08f56c4"},
		{"p256.pub", "ecdsa", "ecdsa-sha2-nistp256", "2984d406233c2eac07be650ff8074a2901a68f1d0ecd48fb3f49e3f85f363b75"},
		{"rsa2048.pub", "rsa", "rsassa-pss-sha256", "298d263659eaf0076ab32b1a9209d79880dd801ace9121a5fa63f8d963bc7a69"},
	} {
		pub, err := ReadPublic(filepath.Join("testdata", c.file))
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		rec, err := Record(pub)
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		if rec.Type != c.keytype || rec.Scheme != c.scheme {
			t.Errorf("%s: %s/%s, want %s/%s", c.file, rec.Type, rec.Scheme, c.keytype, c.scheme)
		}
		if id, err := ID(rec); id != c.id || err != nil {
			t.Errorf("%s: id %s, %v, want %s", c.file, id, err, c.id)
		}
	}
}

func TestIDFollowsTheRecord(t *testing.T) {
	pub, err := ReadPublic("testdata/ed25519.pub")
	if err != nil {
		t.Fatal(err)
	}
	rec, err := Record(pub)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := ID(rec)
	rec.Scheme = "other"
	if after, _ := ID(rec); after == before {
		t.Error("the id did not follow the record")
	}
	if _, err := ID(nil); !errors.Is(err, ErrUnsupported) {
		t.Errorf("nil record: %v", err)
	}
	if _, err := ID(&metadata.Key{UnrecognizedFields: map[string]any{"x": make(chan int)}}); err == nil {
		t.Error("a record that cannot be encoded has an id")
	}
}

func TestRecordRefuses(t *testing.T) {
	//lint:ignore SA1019 no supported call makes a point that is off the curve
	offCurve := &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}
	for name, c := range map[string]struct {
		pub  crypto.PublicKey
		says string
	}{
		"nil":             {nil, "no key"},
		"nil ecdsa":       {(*ecdsa.PublicKey)(nil), "ECDSA"},
		"nil rsa":         {(*rsa.PublicKey)(nil), "RSA"},
		"empty rsa":       {&rsa.PublicKey{}, "RSA"},
		"huge rsa":        {&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 20000), E: 3}, "RSA of 20001 bits"},
		"short ed25519":   {ed25519.PublicKey(make([]byte, 31)), "Ed25519 key of 31 bytes"},
		"long ed25519":    {ed25519.PublicKey(make([]byte, 33)), "Ed25519 key of 33 bytes"},
		"off curve":       {offCurve, "ECDSA"},
		"no point":        {&ecdsa.PublicKey{Curve: elliptic.P256()}, "ECDSA"},
		"x25519":          {&ecdh.PublicKey{}, "ecdh.PublicKey"},
		"ecdsa by value":  {ecdsa.PublicKey{}, "ecdsa.PublicKey"},
		"a private key":   {ed25519.NewKeyFromSeed(make([]byte, 32)), "ed25519.PrivateKey"},
		"P-521 generated": {&ecdsa.PublicKey{Curve: elliptic.P521()}, "P-521"},
	} {
		if _, err := Record(c.pub); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want one that says %q", name, err, c.says)
		}
		if _, err := EncodePublic(c.pub); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: encoded: %v", name, err)
		}
	}
}

func TestGenerate(t *testing.T) {
	for _, typ := range []Type{Ed25519, ECDSA} {
		priv, err := Generate(typ)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Record(priv.Public()); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
	if _, err := Generate("rsa"); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "rsa") {
		t.Errorf("rsa: %v", err)
	}
}

func TestSplitReference(t *testing.T) {
	for ref, want := range map[string][2]string{
		"":                 {"", ""},
		"root.key":         {"", "root.key"},
		"./a:b":            {"", "./a:b"},
		"/media/a:b":       {"", "/media/a:b"},
		`C:\keys\root.key`: {"", `C:\keys\root.key`},
		"file:root.key":    {"file", "root.key"},
		"file:C:/root.key": {"file", "C:/root.key"},
		"env:NAME":         {"env", "NAME"},
		"awskms:///alias":  {"awskms", "///alias"},
		"x-y+z.1:a":        {"x-y+z.1", "a"},
		"1file:a":          {"", "1file:a"},
		"dir/file:a":       {"", "dir/file:a"},
		":a":               {"", ":a"},
	} {
		if scheme, rest := SplitReference(ref); scheme != want[0] || rest != want[1] {
			t.Errorf("%q: %q, %q, want %q", ref, scheme, rest, want)
		}
	}
}
