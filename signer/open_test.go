// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/keys"
)

func sealed(t *testing.T) (text []byte, pub ed25519.PublicKey) {
	t.Helper()
	priv := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	text, err := keys.Encrypt(priv, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	return text, priv.Public().(ed25519.PublicKey)
}

func TestOpen(t *testing.T) {
	text, pub := sealed(t)
	path := filepath.Join(t.TempDir(), "root.key")
	if err := keys.WritePrivate(path, text); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{path, "file:" + path, "env:KEY"} {
		asked := []string{}
		s, err := Open(t.Context(), ref, &Options{
			Passphrase: func(_ context.Context, ref string) ([]byte, error) {
				asked = append(asked, ref)
				return []byte("secret"), nil
			},
			Getenv: func(name string) string {
				return map[string]string{"KEY": string(text)}[name]
			},
		})
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		if !pub.Equal(s.Public()) {
			t.Errorf("%s: public key %x", ref, s.Public())
		}
		if len(asked) != 1 || asked[0] != ref {
			t.Errorf("%s: asked for the passphrase of %q", ref, asked)
		}
		if _, err := Sign(t.Context(), s, []byte("payload")); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

func TestOpenFromTheRealEnvironment(t *testing.T) {
	text, _ := sealed(t)
	t.Setenv("WAYBILL_TEST_KEY", string(text))
	secret := func(context.Context, string) ([]byte, error) { return []byte("secret"), nil }
	if _, err := Open(t.Context(), "env:WAYBILL_TEST_KEY", &Options{Passphrase: secret}); err != nil {
		t.Error(err)
	}
}

// Whatever fails before the key is known to be there and encrypted must not ask.
func TestOpenRefusesWithoutAsking(t *testing.T) {
	dir := t.TempDir()
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	plain := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err := os.WriteFile(filepath.Join(dir, "plain.key"), []byte(plain), 0o600); err != nil {
		t.Fatal(err)
	}
	for ref, c := range map[string]struct {
		want error
		says string
	}{
		"":                                       {nil, "empty"},
		"file:":                                  {nil, "empty"},
		"env:":                                   {nil, "empty"},
		"env:ABSENT":                             {nil, "ABSENT is not set"},
		"env:JUNK":                               {keys.ErrUnsupported, "not a PEM block"},
		"env:PLAIN":                              {keys.ErrUnsupported, "not encrypted"},
		"file:" + filepath.Join(dir, "absent"):   {fs.ErrNotExist, "absent"},
		filepath.Join(dir, "plain.key"):          {keys.ErrUnsupported, "not encrypted"},
		dir:                                      {nil, "not a regular file"},
		"awskms:///alias/root":                   {ErrUnknownScheme, `"awskms" (known: file:PATH, env:NAME`},
		"evil://x":                               {ErrUnknownScheme, `"evil"`},
		"sigstore-kms-evil://../../bin/sh":       {ErrUnknownScheme, "sigstore-kms-evil"},
		"FILE:root.key":                          {ErrUnknownScheme, "FILE"},
		"-----BEGIN PRIVATE KEY-----\nsecret...": {nil, "reference"},
	} {
		_, err := Open(t.Context(), ref, &Options{
			Passphrase: func(context.Context, string) ([]byte, error) {
				t.Errorf("%q: asked for a passphrase", ref)
				return nil, nil
			},
			Getenv: func(name string) string {
				return map[string]string{"JUNK": "junk", "PLAIN": plain}[name]
			},
		})
		if _, ok := errors.AsType[*KeyError](err); !ok {
			t.Errorf("%q: %v is no KeyError", ref, err)
			continue
		}
		if c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v, want %v that says %q", ref, err, c.want, c.says)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error shows the key: %v", ref, err)
		}
	}
}

func TestOpenPassphrase(t *testing.T) {
	text, _ := sealed(t)
	getenv := func(string) string { return string(text) }
	cause := errors.New("no terminal")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		ask  func(context.Context, string) ([]byte, error)
		want error
	}{
		"nobody to ask": {t.Context(), nil, keys.ErrPassphrase},
		"wrong":         {t.Context(), func(context.Context, string) ([]byte, error) { return []byte("Secret"), nil }, keys.ErrPassphrase},
		"none":          {t.Context(), func(context.Context, string) ([]byte, error) { return nil, nil }, keys.ErrPassphrase},
		"cause":         {t.Context(), func(context.Context, string) ([]byte, error) { return nil, cause }, cause},
		"cancelled":     {ctx, func(context.Context, string) ([]byte, error) { return []byte("secret"), nil }, context.Canceled},
	} {
		_, err := Open(c.ctx, "env:KEY", &Options{Passphrase: c.ask, Getenv: getenv})
		keyErr, ok := errors.AsType[*KeyError](err)
		if !ok || !errors.Is(err, c.want) || keyErr.Ref != "env:KEY" {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := Open(t.Context(), "absent.key", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nil options: %v", err)
	}
}

func TestOpenRefusesOpenFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // no such permissions there
	}
	text, _ := sealed(t)
	path := filepath.Join(t.TempDir(), "root.key")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, nil); !errors.Is(err, keys.ErrPermissions) {
		t.Errorf("mode 0644: %v", err)
	}
}
