// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/waybill-project/waybill/keys"
)

// Options are the optional arguments of [Open].
type Options struct {
	// Passphrase returns the passphrase of the key that ref names. It is asked once,
	// and only for a key that was found and has the right form. Nil: encrypted keys
	// are refused with [keys.ErrPassphrase].
	Passphrase func(ctx context.Context, ref string) ([]byte, error)
	// Getenv replaces os.Getenv.
	Getenv func(string) string
}

// Open opens the private key that ref names; the package comment lists the forms.
// Private keys that are not encrypted are refused. Every error is a [*KeyError].
func Open(ctx context.Context, ref string, opts *Options) (Signer, error) {
	if opts == nil {
		opts = &Options{}
	}
	shown := ref
	if strings.Contains(ref, "-----BEGIN") {
		shown = "(text of a key)" // a reference is printed, a key must not be
	}
	s, err := open(ctx, ref, opts)
	if err != nil {
		return nil, &KeyError{Ref: shown, Err: err}
	}
	return s, nil
}

func open(ctx context.Context, ref string, opts *Options) (Signer, error) {
	sealed, err := find(ref, opts)
	if err != nil {
		return nil, err
	}
	if err := keys.CheckPrivate(sealed); err != nil {
		return nil, err
	}
	passphrase, err := ask(ctx, ref, opts)
	if err != nil {
		return nil, err
	}
	priv, err := keys.Decrypt(sealed, passphrase)
	if err != nil {
		return nil, err
	}
	return newLocal(ref, priv)
}

func find(ref string, opts *Options) ([]byte, error) {
	if strings.Contains(ref, "-----BEGIN") {
		return nil, errors.New("a key where the reference to one is expected (file:PATH or env:NAME)")
	}
	scheme, rest := keys.SplitReference(ref)
	switch {
	case rest == "":
		return nil, errors.New("empty key reference (file:PATH or env:NAME)")
	case scheme == "", scheme == "file":
		return keys.ReadPrivate(rest)
	case scheme == "env":
		return fromEnv(rest, opts)
	}
	return nil, fmt.Errorf("%w %q (known: file:PATH, env:NAME, or a plain path)", ErrUnknownScheme, scheme)
}

func fromEnv(name string, opts *Options) ([]byte, error) {
	getenv := opts.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	text := getenv(name)
	if text == "" {
		return nil, fmt.Errorf("environment variable %s is not set or empty", name)
	}
	return []byte(text), nil
}

func ask(ctx context.Context, ref string, opts *Options) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if opts.Passphrase == nil {
		return nil, fmt.Errorf("%w: the key is encrypted and none was given", keys.ErrPassphrase)
	}
	passphrase, err := opts.Passphrase(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("passphrase: %w", err)
	}
	return passphrase, nil
}
