// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/internal/cli"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo"
)

func (a *app) statusCommand() *cobra.Command {
	var within string
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what is published, staged, unsigned, expiring, or not as the policy says",
		Long: `Reads the repository as a client does and shows its roles, what each channel offers,
what is staged and whose signatures that still wants, and every way in which the
repository differs from the policy.

With --fail-within the status is 5 when something expires within that time, for a
monitor: three times the interval of "waybill refresh" is a good value.`,
		Example: `  waybill status
  waybill status --fail-within 3d --json`,
		Args: badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			limit, err := parseSpan(within)
			if err != nil {
				return usagef(c, "--fail-within %s: %v", within, err)
			}
			return a.status(c.Context(), limit)
		},
	}
	c.Flags().StringVar(&within, "fail-within", "", "exit with 5 if a role expires within `DURATION`, such as 36h or 3d")
	return exits(c, cli.Network, cli.Verification, cli.Expired, cli.Local)
}

// statusReport is what --json says.
type statusReport struct {
	Schema   int      `json:"schema"`
	URL      string   `json:"url"`
	Pending  *staged  `json:"pending"`
	Expiring []string `json:"expiring,omitempty"`
	*repo.Status
}

func (a *app) status(ctx context.Context, limit time.Duration) error {
	r, p, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	st, err := r.Status(ctx)
	if err != nil {
		return err
	}
	report := &statusReport{Schema: 1, URL: r.Store().String(), Status: st}
	if report.Pending, err = a.pendingState(p); err != nil {
		return err
	}
	for _, role := range st.Roles {
		if role.Expires.Before(a.now()) {
			a.warn("%s has expired: clients refuse the repository until it is renewed", role.Role)
		}
		if limit > 0 && role.Expires.Before(a.now().Add(limit)) {
			report.Expiring = append(report.Expiring, role.Role)
		}
	}
	a.sayStatus(report)
	if err := a.object(report); err != nil {
		return err
	}
	return a.expiring(report, limit)
}

// expiring is the failure that --fail-within asks for. The report has been
// printed already, so that --json stays one object.
func (a *app) expiring(report *statusReport, limit time.Duration) error {
	if len(report.Expiring) == 0 {
		return nil
	}
	e := &cli.Error{Code: cli.Expired}
	if !a.asJSON {
		e.Err = fmt.Errorf("within %s expires: %s", span(limit), list(report.Expiring))
		e.Hint = "`waybill refresh` renews what online keys sign, `waybill stage` the rest"
	}
	return e
}

func (a *app) pendingState(p *policy.Policy) (*staged, error) {
	c, err := a.pending()
	if err != nil || c == nil {
		return nil, err
	}
	return a.describe(c, p)
}

func (a *app) sayStatus(report *statusReport) {
	a.say("repository %s\nroot 1     %s", report.URL, report.Repository)
	if report.Empty {
		a.say("nothing is published yet")
	} else {
		a.sayRoles(report.Roles)
		a.sayReleases(report.Releases)
	}
	if report.Pending != nil {
		a.say("\npending: %s (%s)", cli.Printable(report.Pending.Title), report.Pending.File)
		a.sayMissing(report.Pending)
	}
	if len(report.Violations) > 0 {
		a.say("\nnot as the policy says (waybill stage):")
		for _, v := range report.Violations {
			a.say("  %s", v)
		}
	}
}

func (a *app) sayRoles(roles []repo.RoleStatus) {
	a.say("")
	a.table("ROLE\tVERSION\tEXPIRES IN\tSIGNATURES\tKEYS", func(w *tabwriter.Writer) {
		for _, role := range roles {
			fmt.Fprintf(w, "%s\t%d\t%s\t%d of %d\t%s\n", role.Role, role.Version, span(role.Expires.Sub(a.now())),
				role.Signatures, role.Threshold, strings.Join(role.Keys, ", "))
		}
	})
}

func (a *app) sayReleases(releases []repo.ReleaseStatus) {
	if len(releases) == 0 {
		return
	}
	a.say("")
	a.table("PRODUCT\tCHANNEL\tPLATFORM\tVERSION\tDELTAS\tRETRACTED", func(w *tabwriter.Writer) {
		for _, rel := range releases {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", rel.Product, rel.Channel, rel.Platform, rel.Version, rel.Deltas, cli.Printable(rel.Retracted))
		}
	})
}

// span is a duration for people: 12d, 5h, 3m; one that is over says so.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "over since " + span(-d)
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", int(d.Hours())/24)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	case d >= 2*time.Minute:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	}
	return fmt.Sprintf("%ds", int(d.Seconds()))
}

// parseSpan reads a Go duration or a number of days, such as 3d.
func parseSpan(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 || n > 3650 {
			return 0, errors.New("want 1d to 3650d")
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err == nil && d <= 0 {
		err = errors.New("must be above zero")
	}
	return d, err
}
