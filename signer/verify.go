// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// ErrBadSignature reports a signer whose signature does not verify with its own
// public key.
var ErrBadSignature = errors.New("the signer returned a signature that does not verify")

// verify judges raw as go-tuf's VerifyDelegate would: from the record, not from the
// key, with the same verifiers.
func verify(record *metadata.Key, payload, raw []byte) error {
	verifier, err := verifierOf(record)
	if err != nil {
		return err
	}
	if err := verifier.VerifySignature(bytes.NewReader(raw), bytes.NewReader(payload)); err != nil {
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	return nil
}

func verifierOf(record *metadata.Key) (signature.Verifier, error) {
	pub, err := record.ToPublicKey()
	if err != nil {
		return nil, err
	}
	if k, ok := pub.(*rsa.PublicKey); ok {
		return signature.LoadRSAPSSVerifier(k, crypto.SHA256, &rsa.PSSOptions{Hash: crypto.SHA256})
	}
	if record.Type == metadata.KeyTypeEd25519 {
		return signature.LoadVerifier(pub, crypto.Hash(0))
	}
	return signature.LoadVerifier(pub, crypto.SHA256)
}
