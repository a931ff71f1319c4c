// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/internal/cli"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/keys"
	"github.com/waybill-project/waybill/policy"
)

func (a *app) keyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "Make keys, and show whose key is which",
		Example: `  waybill key new --out alice/root.key
  waybill key list
  waybill key show alice/root.key.pub`,
		Args: badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return usagef(c, "key wants new, list or show") },
	}
	c.AddCommand(a.keyNewCommand(), a.keyListCommand(), a.keyShowCommand())
	return exits(c)
}

func (a *app) keyNewCommand() *cobra.Command {
	var out, kind string
	c := &cobra.Command{
		Use:   "new --out PATH",
		Short: "Make a key pair: PATH (private, encrypted) and PATH.pub",
		Long: `Makes a key pair. PATH is the private key in cosign's encrypted form, readable by
its owner alone; PATH.pub is the public key, which others may have. Existing
files are never overwritten.

The passphrase comes from --passphrase-fd, $WAYBILL_PASSPHRASE_FILE,
$WAYBILL_PASSPHRASE or the terminal, where it is typed twice.`,
		Example: `  waybill key new --out alice/root.key
  waybill key new --type ecdsa-p256 --out release.key --passphrase-fd 3 3<phrase`,
		Args: badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			t, err := keyType(kind)
			if err != nil {
				return usageError(c, err)
			}
			if out == "" {
				return usagef(c, "--out PATH is missing")
			}
			made, err := a.makeKey(c.Context(), out, t)
			if err != nil {
				return err
			}
			a.say("%s", made.ID)
			a.note("private key %s, public key %s", out, out+".pub")
			return a.object(made)
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "", "`PATH` of the private key")
	c.Flags().StringVar(&kind, "type", string(keys.Ed25519), "ed25519 or ecdsa-p256")
	return exits(c, cli.KeyProblem, cli.Local)
}

func keyType(name string) (keys.Type, error) {
	switch name {
	case string(keys.Ed25519):
		return keys.Ed25519, nil
	case "ecdsa-p256", string(keys.ECDSA):
		return keys.ECDSA, nil
	}
	return "", fmt.Errorf("--type %s: wants ed25519 or ecdsa-p256", name)
}

// keyInfo is a key as --json shows it.
type keyInfo struct {
	ID      string        `json:"id"`
	Type    string        `json:"type"`
	Name    string        `json:"name,omitempty"`
	Roles   []string      `json:"roles,omitempty"`
	Private string        `json:"private,omitempty"`
	Here    bool          `json:"here"`
	Public  string        `json:"public"`
	Record  *metadata.Key `json:"tuf,omitempty"`
}

// makeKey writes the private key before the public one, so that no public key
// is ever handed over whose private part was lost.
func (a *app) makeKey(ctx context.Context, path string, t keys.Type) (*keyInfo, error) {
	for _, p := range []string{path, path + ".pub"} {
		if fileExists(p) {
			return nil, &cli.Error{Code: cli.Local, Err: fmt.Errorf("%s: %w", p, fs.ErrExist), Hint: "keys are never overwritten; choose another name"}
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	phrase, err := a.newPassphrase(ctx, path)
	if err != nil {
		return nil, err
	}
	private, err := keys.Generate(t)
	if err != nil {
		return nil, err
	}
	sealed, err := keys.Encrypt(private, phrase)
	if err != nil {
		return nil, err
	}
	public, err := keys.EncodePublic(private.Public())
	if err != nil {
		return nil, err
	}
	if err := keys.WritePrivate(path, sealed); err != nil {
		return nil, err
	}
	if err := durable.Create(durable.OS(), path+".pub", public, 0o644); err != nil {
		return nil, err
	}
	info, err := describeKey(private.Public())
	if err != nil {
		return nil, err
	}
	info.Private, info.Here = path, true
	return info, nil
}

func describeKey(pub crypto.PublicKey) (*keyInfo, error) {
	record, err := keys.Record(pub)
	if err != nil {
		return nil, err
	}
	id, err := keys.ID(record)
	if err != nil {
		return nil, err
	}
	text, err := keys.EncodePublic(pub)
	if err != nil {
		return nil, err
	}
	return &keyInfo{ID: id, Type: record.Type, Public: string(text), Record: record}, nil
}

func (a *app) keyListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the keys of the policy, and which of them this machine holds",
		Example: `  waybill key list`,
		Args:    badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := a.policy()
			if err != nil {
				return err
			}
			list, err := a.policyKeys(p)
			if err != nil {
				return err
			}
			a.table("NAME\tTYPE\tROLES\tHERE\tID", func(w *tabwriter.Writer) {
				for _, k := range list {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", k.Name, k.Type, strings.Join(k.Roles, ","), yesNo(k.Here), k.ID)
				}
			})
			return a.object(map[string]any{"keys": list})
		},
	}
	return exits(c)
}

func (a *app) policyKeys(p *policy.Policy) ([]*keyInfo, error) {
	var list []*keyInfo
	for _, name := range slices.Sorted(maps.Keys(p.Keys)) {
		k := p.Keys[name]
		info, err := describeKey(k.Public)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", name, err)
		}
		info.Name, info.Private, info.Here = name, k.Private, a.holds(k)
		info.Roles = rolesOf(p, name)
		list = append(list, info)
	}
	return list, nil
}

func rolesOf(p *policy.Policy, key string) []string {
	var roles []string
	for _, m := range []map[string]policy.Role{p.Roles, p.Delegations} {
		for _, role := range slices.Sorted(maps.Keys(m)) {
			if slices.Contains(m[role].Keys, key) {
				roles = append(roles, role)
			}
		}
	}
	return roles
}

func (a *app) keyShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "show NAME|PATH.pub",
		Short: "Show a key of the policy or a public key file",
		Example: `  waybill key show alice/root.key.pub
  waybill key show online --json`,
		Args: badArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			info, err := a.findKey(args[0])
			if err != nil {
				return err
			}
			a.say("id      %s\ntype    %s", info.ID, info.Type)
			if info.Name != "" {
				a.say("name    %s\nroles   %s", info.Name, strings.Join(info.Roles, ", "))
			}
			a.say("%s", strings.TrimSpace(info.Public))
			return a.object(info)
		},
	}
	return exits(c, cli.KeyProblem, cli.Local, cli.NoSuch)
}

// findKey takes a file if there is one of that name, else a key of the policy.
func (a *app) findKey(name string) (*keyInfo, error) {
	if fileExists(name) {
		pub, err := keys.ReadPublic(name)
		if err != nil {
			return nil, err
		}
		return describeKey(pub)
	}
	p, err := a.policy()
	if err != nil {
		return nil, fmt.Errorf("no file %s, and %w", name, err)
	}
	list, err := a.policyKeys(p)
	if err != nil {
		return nil, err
	}
	for _, k := range list {
		if k.Name == name || k.ID == name {
			return k, nil
		}
	}
	return nil, &cli.Error{Code: cli.NoSuch, Err: fmt.Errorf("no key %s: neither a file nor in %s", name, p.Path), Hint: "`waybill key list` lists them"}
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// table prints rows in columns for people.
func (a *app) table(head string, rows func(*tabwriter.Writer)) {
	if a.asJSON {
		return
	}
	w := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, head)
	rows(w)
	w.Flush()
}
