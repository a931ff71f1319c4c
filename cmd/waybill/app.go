// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/internal/cli"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo"
	"github.com/waybill-project/waybill/repo/store"
	"github.com/waybill-project/waybill/repo/store/azure"
	"github.com/waybill-project/waybill/repo/store/gcs"
	"github.com/waybill-project/waybill/repo/store/s3"
)

// app is one invocation: its streams, its clock and the flags that every verb
// has.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) string
	now            func() time.Time

	policyFile   string
	repoURL      string
	changeFile   string
	continueFrom int64
	asJSON       bool
	passphraseFD int
	phrases      passphrases
}

func (a *app) main(ctx context.Context, args []string) int {
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return cli.OK
	}
	asJSON := a.asJSON || slices.Contains(args, "--json")
	return cli.Fail("waybill", explain(ctx, err), asJSON, a.stdout, a.stderr)
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "waybill",
		Short: "Sign software releases and publish them, with deltas, to any bucket",
		Long: `Waybill signs software releases and their deltas into a TUF repository in a
bucket, where nobody on the way to the user can tamper with them.

waybill.yaml says what must be true of the repository: keys, thresholds,
lifetimes, products. The verbs make it so.`,
		Example: `  waybill demo                                  see all of it work
  waybill init --product app                    start a repository
  waybill release linux-amd64=app --version 1.0.0`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	a.globalFlags(root)
	root.AddCommand(a.initCommand(), a.keyCommand(), a.addCommand(), a.stageCommand(), a.deltaCommand(),
		a.signCommand(), a.releaseCommand(), a.publishCommand(), a.promoteCommand(), a.retractCommand(),
		a.refreshCommand(), a.statusCommand(), a.verifyCommand(), a.serveCommand(), a.demoCommand(), a.versionCommand())
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usageError(c, err) })
	root.SetHelpFunc(a.help)
	return root
}

func (a *app) globalFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&a.policyFile, "policy", "", "policy `FILE` ($WAYBILL_POLICY, else waybill.yaml)")
	f.StringVar(&a.repoURL, "repo", "", "bucket `URL` or folder: s3://, gs://, azblob://, file:///DIR ($WAYBILL_REPO)")
	f.StringVar(&a.changeFile, "change", "", "pending change `FILE` (else .waybill/change.json beside the policy)")
	f.Int64Var(&a.continueFrom, "continue-from", 0, "build on timestamp `N` although the bucket holds signs of a newer one")
	f.IntVar(&a.passphraseFD, "passphrase-fd", -1, "read the passphrase of private keys from file descriptor `N`")
	f.BoolVar(&a.asJSON, "json", false, "print one JSON object, also for an error")
}

// help is cobra's, followed by what the verb's exit status can be.
func (a *app) help(c *cobra.Command, _ []string) {
	text := c.Long
	if text == "" {
		text = c.Short
	}
	fmt.Fprintf(a.stdout, "%s\n\n%s", strings.TrimSpace(text), c.UsageString())
	fmt.Fprintf(a.stdout, "\nExit status:\n%s", exitHelp(c))
}

func (a *app) policyPath() string {
	if a.policyFile != "" {
		return a.policyFile
	}
	if p := a.env("WAYBILL_POLICY"); p != "" {
		return p
	}
	return "waybill.yaml"
}

func (a *app) workDir() string { return filepath.Join(filepath.Dir(a.policyPath()), ".waybill") }

func (a *app) changePath() string {
	if a.changeFile != "" {
		return a.changeFile
	}
	return filepath.Join(a.workDir(), "change.json")
}

func (a *app) policy() (*policy.Policy, error) {
	p, err := policy.Read(a.policyPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &cli.Error{Code: cli.Usage, Err: fmt.Errorf("no policy at %s: %w", a.policyPath(), err),
			Hint: "name it with --policy FILE, or start with `waybill init`"}
	}
	return p, err
}

// bucketURL is the repository's address: a URL, or a folder.
func (a *app) bucketURL() (string, error) {
	u := a.repoURL
	if u == "" {
		u = a.env("WAYBILL_REPO")
	}
	if u == "" {
		return "", &cli.Error{Code: cli.Usage, Err: errors.New("no repository was named"),
			Hint: "give --repo URL or set WAYBILL_REPO, for example --repo file:///srv/releases"}
	}
	return u, nil
}

func drivers() []store.Driver { return []store.Driver{s3.Driver(), gcs.Driver(), azure.Driver()} }

// open gives the repository and the policy that governs it.
func (a *app) open(ctx context.Context) (*repo.Repo, *policy.Policy, error) {
	p, err := a.policy()
	if err != nil {
		return nil, nil, err
	}
	u, err := a.bucketURL()
	if err != nil {
		return nil, nil, err
	}
	r, err := a.openAt(ctx, u, p)
	return r, p, err
}

func (a *app) openAt(ctx context.Context, url string, p *policy.Policy) (*repo.Repo, error) {
	return repo.Open(ctx, url, p, &repo.Options{
		Drivers:      drivers(),
		Work:         a.workDir(),
		Now:          a.now,
		ContinueFrom: a.continueFrom,
		Progress:     func(line string) { a.note("%s", line) },
	})
}

// pending is the staged change, nil if there is none.
func (a *app) pending() (*repo.Change, error) {
	c, err := repo.ReadChange(a.changePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return c, err
}

// say prints a result, for people; with --json only the object is printed.
func (a *app) say(format string, args ...any) {
	if !a.asJSON {
		fmt.Fprintf(a.stdout, format+"\n", args...)
	}
}

// note prints what is not a result.
func (a *app) note(format string, args ...any) { fmt.Fprintf(a.stderr, format+"\n", args...) }

func (a *app) warn(format string, args ...any) { a.note("waybill: warning: "+format, args...) }

// object prints the result of a verb under --json.
func (a *app) object(v any) error {
	if !a.asJSON {
		return nil
	}
	return cli.JSON(a.stdout, v)
}
