// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/internal/cli"
	"github.com/waybill-project/waybill/keys"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo"
	"github.com/waybill-project/waybill/signer"
)

func (a *app) openSigner(ctx context.Context, ref string) (signer.Signer, error) {
	return signer.Open(ctx, ref, &signer.Options{Passphrase: a.passphrase, Getenv: a.env})
}

// signWithPolicy signs with the keys of the policy that this machine holds.
// Each is opened once, when its first signature is wanted.
func (a *app) signWithPolicy() repo.SignFunc {
	opened := map[string]signer.Signer{}
	return func(ctx context.Context, key policy.Key, payload []byte) (metadata.Signature, error) {
		s := opened[key.ID]
		if s == nil {
			var err error
			if s, err = a.openPolicyKey(ctx, key); err != nil {
				return metadata.Signature{}, err
			}
			opened[key.ID] = s
		}
		return signer.Sign(ctx, s, payload)
	}
}

func (a *app) openPolicyKey(ctx context.Context, key policy.Key) (signer.Signer, error) {
	if !a.holds(key) {
		return nil, repo.ErrNoKey
	}
	s, err := a.openSigner(ctx, key.Private)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, repo.ErrNoKey
	}
	if err != nil {
		return nil, err
	}
	id, err := keyID(s)
	if err != nil {
		return nil, err
	}
	if id != key.ID {
		return nil, &cli.Error{Code: cli.KeyProblem,
			Err:  fmt.Errorf("key %s: %s holds key %s, the policy says %s", key.Name, key.Private, short(id), short(key.ID)),
			Hint: "correct `public` or `private` of the key in the policy"}
	}
	return s, nil
}

// holds tells whether the private part that the policy names is on this
// machine.
func (a *app) holds(key policy.Key) bool {
	scheme, rest := keys.SplitReference(key.Private)
	switch scheme {
	case "":
		return rest != "" && fileExists(rest)
	case "file":
		return fileExists(rest)
	case "env":
		return a.env(rest) != ""
	}
	return true
}

func keyID(s signer.Signer) (string, error) {
	record, err := keys.Record(s.Public())
	if err != nil {
		return "", err
	}
	return keys.ID(record)
}

// anchorPath is where the root is remembered that a key last saw; "" for a key
// that is not a file.
func anchorPath(ref string) string {
	scheme, rest := keys.SplitReference(ref)
	if (scheme == "" || scheme == "file") && rest != "" {
		return rest + ".root"
	}
	return ""
}

// short is a key id or fingerprint as people compare it.
func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}

// keyNames maps key ids to the names that the policy gives them.
func keyNames(p *policy.Policy) map[string]string {
	names := map[string]string{}
	if p == nil {
		return names
	}
	for _, k := range p.Keys {
		names[k.ID] = k.Name
	}
	return names
}
