// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParsePublicRefuses(t *testing.T) {
	good := string(testdata(t, "ed25519.pub"))
	block := func(name string) string { return string(testdata(t, name)) }
	for name, c := range map[string]struct{ text, says string }{
		"empty":            {"", "not a PEM block"},
		"text":             {"hello", "not a PEM block"},
		"leading text":     {"key:\n" + good, "not a PEM block"},
		"trailing text":    {good + "x", "text after"},
		"two blocks":       {good + good, "more than one"},
		"bad, then good":   {"-----BEGIN PUBLIC KEY-----\n!!\n-----END PUBLIC KEY-----\n" + good, "more than one"},
		"truncated":        {good[:60], "malformed"},
		"no end":           {"-----BEGIN PUBLIC KEY-----\nMCow\n", "malformed"},
		"headers":          {strings.Replace(good, "-----\n", "-----\nA: b\n\n", 1), "headers"},
		"too long":         {good + strings.Repeat("\n", maxFile), "at most"},
		"wrong type":       {strings.ReplaceAll(good, "PUBLIC KEY", "CERTIFICATE"), "CERTIFICATE"},
		"bytes after DER":  {strings.Replace(good, "lmQ=", "lmQA", 1), "trailing data"},
		"empty block":      {"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", ""},
		"private":          {block("plain-private.pem"), "where a public key is expected"},
		"private, sealed":  {block("ed25519-private.pem"), "where a public key is expected"},
		"PKCS #1":          {block("rsa-pkcs1.pub"), "RSA PUBLIC KEY"},
		"RSA 1024":         {block("rsa1024.pub"), "1024 bits"},
		"P-224":            {block("p224.pub"), "P-224"},
		"P-384":            {block("p384.pub"), "P-384"},
		"P-521":            {block("p521.pub"), "P-521"},
		"secp256k1":        {block("secp256k1.pub"), "curve"},
		"X25519":           {block("x25519.pub"), "ecdh"},
		"Ed448":            {block("ed448.pub"), "unknown"},
		"NUL":              {good + "\x00", "text after"},
		"only white space": {" \n\t\r\n", "not a PEM block"},
	} {
		_, err := ParsePublic([]byte(c.text))
		if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want one that says %q", name, err, c.says)
		}
	}
}

func TestParsePublicAllows(t *testing.T) {
	good := string(testdata(t, "p256.pub"))
	for name, text := range map[string]string{
		"white space around": "\n\n  " + good + "\n \n",
		"no final newline":   strings.TrimSpace(good),
		"CRLF":               strings.ReplaceAll(good, "\n", "\r\n"),
	} {
		pub, err := ParsePublic([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if again, err := EncodePublic(pub); string(again) != good || err != nil {
			t.Errorf("%s: encoded as %q, %v", name, again, err)
		}
	}
}

func TestReadPublic(t *testing.T) {
	dir := t.TempDir()
	huge := filepath.Join(dir, "huge.pub")
	if err := os.WriteFile(huge, bytes.Repeat([]byte("\n"), maxFile+1), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPublic(huge); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), huge) {
		t.Errorf("huge: %v", err)
	}
	if _, err := ReadPublic(filepath.Join(dir, "absent.pub")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if _, err := ReadPublic(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("folder: %v", err)
	}
	if _, err := ReadPublic("testdata/p521.pub"); err == nil || !strings.Contains(err.Error(), "p521.pub") {
		t.Errorf("P-521: %v", err)
	}
}

func FuzzParsePublic(f *testing.F) {
	files, err := filepath.Glob("testdata/*.p*")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		f.Add(testdata(f, filepath.Base(name)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		pub, err := ParsePublic(data)
		if err != nil {
			if !errors.Is(err, ErrUnsupported) {
				t.Fatalf("untyped error: %v", err)
			}
			return
		}
		text, err := EncodePublic(pub)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParsePublic(text)
		if err != nil {
			t.Fatal(err)
		}
		one, err := Record(pub)
		if err != nil {
			t.Fatal(err)
		}
		two, err := Record(again)
		if err != nil || one.Value.PublicKey != two.Value.PublicKey {
			t.Fatalf("%v: %q, then %q", err, one.Value.PublicKey, two.Value.PublicKey)
		}
	})
}
