// SPDX-License-Identifier: Apache-2.0

package signer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/waybill-project/waybill/keys"
	"github.com/waybill-project/waybill/signer"
)

func Example() {
	dir, err := os.MkdirTemp("", "waybill")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "root.key")
	if err := newKey(path, "correct horse"); err != nil {
		panic(err)
	}

	ctx := context.Background()
	s, err := signer.Open(ctx, "file:"+path, &signer.Options{
		Passphrase: func(context.Context, string) ([]byte, error) { return []byte("correct horse"), nil },
	})
	if err != nil {
		panic(err)
	}
	signature, err := signer.Sign(ctx, s, []byte(`{"_type":"root"}`))
	if err != nil {
		panic(err)
	}
	fmt.Println(len(signature.KeyID), len(signature.Signature))
	// Output: 64 64
}

func ExampleOpen_unknownScheme() {
	_, err := signer.Open(context.Background(), "magic:wand", nil)
	fmt.Println(errors.Is(err, signer.ErrUnknownScheme))
	fmt.Println(err)
	// Output:
	// true
	// key magic:wand: unknown scheme of key reference "magic" (known: file:PATH, env:NAME, or a plain path)
}

func newKey(path, passphrase string) error {
	priv, err := keys.Generate(keys.Ed25519)
	if err != nil {
		return err
	}
	sealed, err := keys.Encrypt(priv, []byte(passphrase))
	if err != nil {
		return err
	}
	return keys.WritePrivate(path, sealed)
}
