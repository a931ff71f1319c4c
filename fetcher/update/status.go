// SPDX-License-Identifier: Apache-2.0

package update

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/internal/durable"
)

const (
	checkedName = "checked.json"
	maxChecked  = 64 << 10
	maxReason   = 4 << 10
)

// Role is a top-level role of the repository as it was last verified.
type Role struct {
	Name    string    `json:"name"`
	Version int64     `json:"version"`
	Expires time.Time `json:"expires"`
}

// Checked is what the last check or update found: STATE/checked.json.
type Checked struct {
	Schema    int       `json:"schema"`
	At        time.Time `json:"at"`
	Succeeded time.Time `json:"succeeded,omitzero"` // when a check last ended without an error
	Offer     string    `json:"offer,omitempty"`    // version that was open for this endpoint
	Reason    string    `json:"reason,omitempty"`
	Class     string    `json:"class,omitempty"` // of the error, see fetcher.Class
	Error     string    `json:"error,omitempty"`
	Roles     []Role    `json:"roles,omitempty"`
}

// Status is what an endpoint knows without the network.
type Status struct {
	Config    Config    `json:"config"`
	State     string    `json:"state"`
	Installed Installed `json:"installed"`
	At        time.Time `json:"installed_at,omitzero"`
	Previous  string    `json:"previous,omitempty"` // version that a rollback brings back; "unknown" if nobody knows it
	Skipped   []string  `json:"skipped,omitempty"`
	Pending   bool      `json:"pending"` // an interrupted installation, which the next run ends
	Checked   *Checked  `json:"checked,omitempty"`
}

// Status reads what is known. It takes no lock and changes nothing.
func (u *Updater) Status(ctx context.Context) (*Status, error) {
	record, err := u.record()
	if err != nil {
		return nil, err
	}
	s := &Status{Config: u.config, State: u.state, Checked: u.checked()}
	if s.Installed, err = u.installed(ctx, nil, record); err != nil {
		return nil, err
	}
	if record != nil {
		s.At, s.Skipped = record.At, record.Skipped
	}
	if record != nil && record.Previous != nil {
		s.Previous = record.Previous.Version
		if s.Previous == "" {
			s.Previous = Unknown
		}
	}
	s.Pending = u.pending()
	return s, nil
}

func (u *Updater) pending() bool {
	_, err := u.opts.FS.Stat(filepath.Join(u.state, "install.json"))
	return err == nil
}

// checked is the last check; one that cannot be read is none.
func (u *Updater) checked() *Checked {
	data, err := durable.ReadFile(u.opts.FS, filepath.Join(u.state, checkedName), maxChecked)
	if err != nil {
		return nil
	}
	var c Checked
	if json.Unmarshal(data, &c) != nil || c.Schema != 1 {
		return nil
	}
	return &c
}

// remember writes down what a check found. That it could not is no failure of the check.
func (u *Updater) remember(ctx context.Context, d *decision, failure error) {
	if errors.Is(failure, context.Canceled) {
		return
	}
	c := Checked{Schema: 1, At: u.opts.Now().UTC().Truncate(time.Second)}
	if before := u.checked(); before != nil {
		c.Succeeded, c.Roles = before.Succeeded, before.Roles
	}
	if failure == nil {
		c.Succeeded, c.Reason, c.Roles = c.At, d.check.Reason, u.roles(ctx)
		if d.check.Offer != nil {
			c.Offer = d.check.Offer.Version
		}
	} else {
		c.Class, c.Error = fetcher.Class(failure), failure.Error()
		c.Error = strings.ToValidUTF8(c.Error[:min(len(c.Error), maxReason)], "")
	}
	data, err := json.MarshalIndent(c, "", "  ")
	if err == nil {
		err = durable.WriteFile(u.opts.FS, filepath.Join(u.state, checkedName), append(data, '\n'), 0o600)
	}
	if err != nil {
		u.opts.Logger.Warn("cannot write down the result of the check", "error", err)
	}
}

func (u *Updater) roles(ctx context.Context) []Role {
	var roles []Role
	for _, name := range []string{"root", "timestamp", "snapshot", "targets"} {
		data, err := u.client.Metadata(ctx, name)
		if err != nil {
			continue
		}
		var m struct{ Signed Role }
		if json.Unmarshal(data, &m) == nil {
			roles = append(roles, Role{name, m.Signed.Version, m.Signed.Expires})
		}
	}
	return roles
}
