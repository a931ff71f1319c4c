// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/fetcher/update"
	"github.com/waybill-project/waybill/internal/cli"
)

// app is one invocation: its streams, its clock and the flags that every verb has.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) string
	now            func() time.Time

	stateFlag string
	asJSON    bool
	verbose   bool
	bar       *cli.Progress
	barOf     string
}

func (a *app) main(ctx context.Context, args []string) int {
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	a.bar.Finish()
	if err == nil {
		return cli.OK
	}
	asJSON := a.asJSON || slices.Contains(args, "--json")
	return cli.Fail("fetch", explain(ctx, err), asJSON, a.stdout, a.stderr)
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "fetch",
		Short: "Keep a program up to date from a signed repository",
		Long: `Fetch keeps one program up to date from a signed repository: deltas first, the
full file next, in one run. Nothing is used before it is verified, and any failure
leaves the installed version byte for byte as it was.

Set up once with init; the configuration then lies in the state folder, and the
other verbs need no arguments. They suit cron, a timer or fetch's own watch.`,
		Example: `  fetch init --url https://dl.example.org --root root.json --product app --channel stable --path /usr/local/bin/app
  fetch check
  fetch update
  fetch rollback`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          badArgs(cobra.NoArgs),
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f := root.PersistentFlags()
	f.StringVar(&a.stateFlag, "state", "", "state `FOLDER` ($FETCH_STATE, else one of this user)")
	f.BoolVar(&a.asJSON, "json", false, "print one JSON object, also for an error")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "say on standard error what is being done")
	root.AddCommand(a.initCommand(), a.checkCommand(), a.updateCommand(), a.installCommand(), a.watchCommand(), a.rollbackCommand(),
		a.statusCommand(), a.getCommand(), a.serveCommand(), a.versionCommand())
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usageError(c, err) })
	root.SetHelpFunc(a.help)
	return root
}

// help is cobra's, followed by what the verb's exit status can be.
func (a *app) help(c *cobra.Command, _ []string) {
	text := c.Long
	if text == "" {
		text = c.Short
	}
	fmt.Fprintf(a.stdout, "%s\n\n%s", strings.TrimSpace(text), c.UsageString())
	fmt.Fprintf(a.stdout, "\nEXIT STATUS:\n%s", cli.ExitHelp(exitsOf(c.Name())...))
}

// state is the state folder, as an absolute path.
func (a *app) state() (string, error) {
	dir := a.stateFlag
	if dir == "" {
		dir = a.env("FETCH_STATE")
	}
	if dir == "" {
		dir = userState(a.env)
	}
	if dir == "" {
		return "", &cli.Error{Code: cli.Usage, Err: errors.New("this user has no folder for state"),
			Hint: "give --state FOLDER or set FETCH_STATE"}
	}
	return filepath.Abs(dir)
}

// open opens the endpoint. A source stands for the configured ones; nil is none.
func (a *app) open(source fetcher.Source) (*update.Updater, error) {
	state, err := a.state()
	if err != nil {
		return nil, err
	}
	return update.Open(state, &update.Options{
		Now: a.now, NotBefore: buildTime(), Logger: a.logger(), Progress: a.progress, UserAgent: "fetch/" + thisVersion(), Source: source,
	})
}

func (a *app) logger() *slog.Logger {
	if !a.verbose {
		return nil
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// progress draws one bar for one target after the other, on a terminal only.
func (a *app) progress(p fetcher.Progress) {
	if a.asJSON {
		return
	}
	label := p.Name[strings.LastIndex(p.Name, "/")+1:]
	switch {
	case a.bar == nil:
		a.bar = cli.NewProgress(a.stderr, label, p.Total)
	case a.barOf != p.Name:
		a.bar.Restart(label, p.Total)
	}
	a.barOf = p.Name
	a.bar.Set(p.Done)
}

// say prints a result, for people; with --json only the object is printed.
func (a *app) say(format string, args ...any) {
	if !a.asJSON {
		a.bar.Finish()
		fmt.Fprint(a.stdout, cli.Printable(fmt.Sprintf(format, args...)), "\n")
	}
}

// note prints what is not a result.
func (a *app) note(format string, args ...any) {
	if !a.asJSON {
		a.bar.Finish()
		fmt.Fprint(a.stderr, "fetch: note: ", cli.Printable(fmt.Sprintf(format, args...)), "\n")
	}
}

// object prints the result of a verb under --json.
func (a *app) object(v any) error {
	if !a.asJSON {
		return nil
	}
	return cli.JSON(a.stdout, v)
}
