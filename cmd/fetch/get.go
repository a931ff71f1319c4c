// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/fetcher/update"
	"github.com/waybill-project/waybill/internal/cli"
)

// getResult is printed under --json.
type getResult struct {
	Target string            `json:"target"`
	Path   string            `json:"path"`
	Length int64             `json:"length"`
	Hashes map[string]string `json:"hashes"`
	Role   string            `json:"role"` // that vouches for it
}

func (a *app) getCommand() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "get TARGET",
		Short: "Download one verified file of the repository",
		Long: `Downloads a file that the repository's metadata lists, of any product. It gets its
name only once it is verified.`,
		Example: `  fetch get app/1.4.2/notes.en.md
  fetch get app/1.4.2/linux-amd64/app.spdx.json -o sbom.json`,
		Args: badArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			u, err := a.open(nil)
			if err != nil {
				return err
			}
			if output == "-" {
				return a.getToStdout(c, u, args[0])
			}
			if output == "" {
				output = path.Base(args[0])
			}
			dest, err := filepath.Abs(output)
			if err != nil {
				return err
			}
			t, err := u.Get(c.Context(), args[0], dest)
			if err != nil {
				return err
			}
			a.say("%s: %s, verified, in %s", t.Name, cli.Bytes(t.Length), dest)
			return a.object(getResult{t.Name, dest, t.Length, t.Hashes, t.Role})
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "`FILE` to write, - for standard output; else the last part of the target's name, here")
	return c
}

// getToStdout prints a file, which lies in a private folder until it is verified.
func (a *app) getToStdout(c *cobra.Command, u *update.Updater, target string) error {
	if a.asJSON {
		return usagef(c, "-o - and --json both want standard output")
	}
	dir, err := os.MkdirTemp("", "fetch-get-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	dest := filepath.Join(dir, "target")
	if _, err := u.Get(c.Context(), target, dest); err != nil {
		return err
	}
	f, err := os.Open(dest)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(a.stdout, f)
	return err
}
