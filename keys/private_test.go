// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The two files were sealed by another implementation of the envelope, with cosign's
// present and former label and scrypt parameters.
func TestDecryptForeign(t *testing.T) {
	for _, c := range []struct{ name, passphrase string }{
		{"ed25519", "correct horse"},
		{"p256", ""}, // cosign allows an empty one
	} {
		priv, err := Decrypt(testdata(t, c.name+"-private.pem"), []byte(c.passphrase))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		pub, err := EncodePublic(priv.Public())
		if err != nil || !bytes.Equal(pub, testdata(t, c.name+".pub")) {
			t.Errorf("%s: decrypted to %s, %v", c.name, pub, err)
		}
	}
	if _, err := Decrypt(testdata(t, "p256-private.pem"), nil); err != nil {
		t.Errorf("nil passphrase: %v", err)
	}
}

func TestEncryptDecrypt(t *testing.T) {
	for _, typ := range []Type{Ed25519, ECDSA} {
		priv, err := Generate(typ)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := Encrypt(priv, []byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(sealed, []byte("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n")) {
			t.Errorf("%s: begins %.50q", typ, sealed)
		}
		again, err := Decrypt(sealed, []byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		if !again.(interface{ Equal(crypto.PrivateKey) bool }).Equal(priv) {
			t.Errorf("%s: another key came back", typ)
		}
		if _, err := Decrypt(sealed, []byte("Secret")); !errors.Is(err, ErrPassphrase) {
			t.Errorf("%s: wrong passphrase: %v", typ, err)
		}
	}
}

func TestEncryptRefuses(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	big, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := ed25519.NewKeyFromSeed(make([]byte, 32))
	for name, c := range map[string]struct {
		priv       crypto.Signer
		passphrase string
		want       error
		says       string
	}{
		"empty passphrase": {good, "", ErrPassphrase, "empty"},
		"nil":              {nil, "x", ErrUnsupported, "no key"},
		"P-384":            {p384, "x", ErrUnsupported, "P-384"},
		"RSA":              {big, "x", ErrUnsupported, "RSA"},
	} {
		_, err := Encrypt(c.priv, []byte(c.passphrase))
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v that says %q", name, err, c.want, c.says)
		}
	}
}

func TestDecryptRefuses(t *testing.T) {
	good := testdata(t, "ed25519-private.pem")
	block, _ := pem.Decode(good)
	edit := func(old, new string) []byte {
		body := strings.Replace(string(block.Bytes), old, new, 1)
		if body == string(block.Bytes) {
			t.Fatalf("%q is not in the envelope", old)
		}
		return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: []byte(body)})
	}
	for name, c := range map[string]struct {
		data []byte
		want error
		says string
	}{
		"empty":             {nil, ErrUnsupported, "not a PEM block"},
		"public key":        {testdata(t, "ed25519.pub"), ErrUnsupported, "not a private key"},
		"not encrypted":     {testdata(t, "plain-private.pem"), ErrUnsupported, "not encrypted"},
		"PKCS #8 encrypted": {testdata(t, "pkcs8-encrypted-private.pem"), ErrUnsupported, "PKCS #8"},
		"two keys":          {append(good[:len(good):len(good)], good...), ErrUnsupported, "more than one"},
		"not JSON":          {edit("{", "["), ErrUnsupported, "malformed envelope"},
		"costly scrypt":     {edit(`"N":65536`, `"N":1073741824`), ErrUnsupported, "parameters"},
		"cheap scrypt":      {edit(`"N":65536`, `"N":2`), ErrUnsupported, "parameters"},
		"other kdf":         {edit(`"scrypt"`, `"argon2"`), ErrUnsupported, "argon2"},
		"other cipher":      {edit(`nacl/secretbox`, `rot13`), ErrUnsupported, "rot13"},
		"short nonce":       {edit(`"nonce":"`, `"nonce":"AAAA","x":"`), ErrUnsupported, "cipher"},
		"no ciphertext":     {edit(`"ciphertext"`, `"other"`), ErrUnsupported, "cipher"},
		"altered":           {edit(`"ciphertext":"`, `"ciphertext":"AAAA`), ErrPassphrase, "altered"},
		"other salt":        {edit(`"salt":"`, `"salt":"AAAA`), ErrPassphrase, "altered"},
	} {
		_, err := Decrypt(c.data, []byte("correct horse"))
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v that says %q", name, err, c.want, c.says)
		}
	}
	for name, says := range map[string]string{"p384-private.pem": "P-384", "rsa-private.pem": "RSA"} {
		if _, err := Decrypt(testdata(t, name), []byte("x")); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWriteAndReadPrivate(t *testing.T) {
	sealed := testdata(t, "ed25519-private.pem")
	path := filepath.Join(t.TempDir(), "root.key")
	if err := WritePrivate(path, sealed); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadPrivate(path); !bytes.Equal(got, sealed) || err != nil {
		t.Errorf("read back %q, %v", got, err)
	}
	if err := WritePrivate(path, sealed); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second write: %v", err)
	}
	if got, err := os.ReadFile(path); !bytes.Equal(got, sealed) || err != nil {
		t.Errorf("after the second write: %q, %v", got, err)
	}
}

func TestWritePrivateLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "plain.key")
	if err := WritePrivate(path, testdata(t, "plain-private.pem")); !errors.Is(err, ErrUnsupported) {
		t.Errorf("unencrypted: %v", err)
	}
	absent := filepath.Join(dir, "absent", "root.key")
	if err := WritePrivate(absent, testdata(t, "ed25519-private.pem")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent folder: %v", err)
	}
	if entries, err := os.ReadDir(dir); len(entries) != 0 || err != nil {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

type faulty struct {
	calls []string
	fail  string
	short bool
}

var errFault = errors.New("fault")

func (f *faulty) step(name string) error {
	f.calls = append(f.calls, name)
	if name == f.fail {
		return errFault
	}
	return nil
}

func (f *faulty) Write(p []byte) (int, error) {
	if f.short {
		return len(p) - 1, f.step("write")
	}
	return len(p), f.step("write")
}
func (f *faulty) Sync() error  { return f.step("sync") }
func (f *faulty) Close() error { return f.step("close") }

func TestFillFaults(t *testing.T) {
	for _, c := range []struct {
		fault faulty
		calls string
		fails bool
	}{
		{faulty{}, "write sync close", false},
		{faulty{fail: "write"}, "write close", true},
		{faulty{short: true}, "write close", true},
		{faulty{fail: "sync"}, "write sync close", true},
		{faulty{fail: "close"}, "write sync close", true},
	} {
		err := fill(&c.fault, []byte("data"))
		if calls := strings.Join(c.fault.calls, " "); calls != c.calls || (err != nil) != c.fails {
			t.Errorf("%+v: %v, calls %s", c.fault, err, calls)
		}
	}
}
