// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"time"

	"github.com/waybill-project/waybill/conformance"
)

func expiry() family {
	f := family{name: "expiry"}
	past := date(epoch.Add(-time.Hour))
	for _, role := range topLevel {
		f.recipes = append(f.recipes,
			recipe{role + "_expired", "A new " + role + " that is over its date is refused. A root is stored all the same.",
				"TUF 5.3.10, 5.4.4, 5.5.6, 5.6.6; suite " + role + "_expired", func(m *maker) {
					m.ok()
					m.md[role]["expires"] = past
					m.publish("root")
					m.release("targets")
					m.expired(role)
					m.md[role]["expires"] = date(epoch.AddDate(1, 0, 0))
					m.publish("root")
					m.release("targets")
					m.ok()
				}},
			recipe{role + "_expired_at_first", "The first " + role + " that a client sees is over its date.",
				"TUF 5.3.10, 5.4.4, 5.5.6, 5.6.6", func(m *maker) {
					m.md[role]["expires"] = past
					m.publish("root")
					m.release("targets")
					m.expired(role)
				}},
			recipe{role + "_expires_meanwhile", "Nothing new comes, and the stored " + role + " runs out: the client notices the freeze.",
				"TUF 5.3.10, 5.4.4, 5.5.6, 5.6.6 (indefinite freeze)", func(m *maker) {
					m.md[role]["expires"] = date(epoch.Add(time.Hour))
					m.publish("root")
					m.release("targets")
					m.ok()
					at(m.stale(conformance.Expired), epoch.Add(2*time.Hour))
				}},
			recipe{role + "_expires_this_moment", "At the instant of its date " + role + " is over.", "TUF 5.3.10, 5.4.4, 5.5.6, 5.6.6", func(m *maker) {
				m.md[role]["expires"] = date(epoch)
				m.publish("root")
				m.release("targets")
				m.expired(role)
			}},
			recipe{role + "_expires_soon", "Ten minutes before its date " + role + " is good.", "TUF 5.3.10, 5.4.4, 5.5.6, 5.6.6", func(m *maker) {
				m.md[role]["expires"] = date(epoch.Add(10 * time.Minute))
				m.publish("root")
				m.release("targets")
				m.ok()
			}})
	}
	for _, d := range []struct{ name, value, shows, expect string }{
		{"date_with_fraction", `"2027-03-01T12:00:00.5Z"`, "A date with a fraction of a second is not the form of the specification.", conformance.Any},
		{"date_with_offset", `"2027-03-01T12:00:00+02:00"`, "A date with an offset is not the form of the specification.", conformance.Any},
		{"date_past_with_offset", `"2026-03-01T13:00:00+02:00"`, "A date with an offset, taken as UTC, would not yet be over.", conformance.Fail},
		{"date_without_zone", `"2027-03-01T12:00:00"`, "A date without a zone is refused.", conformance.Malformed},
		{"date_only_day", `"2027-03-01"`, "A day is no date and time.", conformance.Malformed},
		{"date_impossible", `"2027-02-30T00:00:00Z"`, "A day that does not exist is refused.", conformance.Malformed},
		{"date_month_13", `"2027-13-01T00:00:00Z"`, "A month that does not exist is refused.", conformance.Malformed},
		{"date_words", `"next year"`, "Words are no date.", conformance.Malformed},
		{"date_empty", `""`, "An empty text is no date.", conformance.Malformed},
		{"date_number", `1800000000`, "A number is no date.", conformance.Malformed},
		{"date_null", `null`, "null is no date.", conformance.Malformed},
		{"date_list", `["2027-03-01T12:00:00Z"]`, "A list is no date.", conformance.Malformed},
		{"date_year_10000", `"10000-01-01T00:00:00Z"`, "A year of five digits is refused.", conformance.Malformed},
		{"date_year_9999", `"9999-12-31T23:59:59Z"`, "The last date there is is a date.", ok},
		{"date_year_zero", `"0000-01-01T00:00:00Z"`, "The year zero is over, or no date.", "expired|malformed"},
		{"date_two_dates", `"2027-03-01T12:00:00Z2028-03-01T12:00:00Z"`, "Text after a date is refused.", conformance.Malformed},
	} {
		f.recipes = append(f.recipes, recipe{d.name, d.shows, "TUF 4.2.1", func(m *maker) {
			m.ok()
			m.md["timestamp"]["version"] = int64(2)
			m.resigned("timestamp", `"expires":"2027-03-01T12:00:00Z"`, `"expires":`+d.value)
			if d.expect == ok {
				m.ok()
				return
			}
			m.step(conformance.Refresh, d.expect)
		}})
	}
	f.recipes = append(f.recipes,
		recipe{"date_missing", "Metadata without a date is refused.", "TUF 4.2.1", func(m *maker) {
			m.ok()
			delete(m.md["timestamp"], "expires")
			m.stamp()
			m.stale(conformance.Malformed)
		}},
		recipe{"root_expired_in_between", "Roots on the way to the newest may be over their date.", "TUF 5.3.9", func(m *maker) {
			m.md["root"]["expires"] = past
			m.publish("root", "root")
			m.md["root"]["expires"] = date(epoch.AddDate(1, 0, 0))
			m.publish("root")
			m.ok()
		}},
		recipe{"stored_timestamp_expired", "A stored timestamp over its date is no obstacle to a newer one, and still a floor.",
			"TUF 5.4.3; suite expired_local_timestamp", func(m *maker) {
				m.md["timestamp"]["expires"] = date(epoch.Add(time.Hour))
				m.stamp()
				m.ok()
				later := epoch.Add(2 * time.Hour)
				at(m.stale(conformance.Expired), later)
				m.md["timestamp"]["expires"] = date(epoch.AddDate(0, 1, 0))
				m.stamp()
				at(m.ok(), later)
			}},
		recipe{"stored_timestamp_expired_floor", "A stored timestamp over its date still forbids an older one.", "TUF 5.4.3", func(m *maker) {
			m.md["timestamp"]["expires"] = date(epoch.AddDate(0, 1, 0))
			m.stamp()
			old := m.files["metadata/timestamp.json"]
			m.md["timestamp"]["expires"] = date(epoch.Add(time.Hour))
			m.stamp()
			m.ok()
			m.files["metadata/timestamp.json"] = old
			at(m.stale(conformance.Rollback), epoch.Add(2*time.Hour))
		}},
		recipe{"delegated_expired", "A delegated role over its date is refused, and so are the targets that it lists.", "TUF 5.6.6; tough CVE-2026-6967", func(m *maker) {
			m.delegate("targets", "delegated", nil)
			m.add("delegated", "file", []byte("late\n"))
			m.md["delegated"]["expires"] = past
			m.store("delegated")
			m.release("targets")
			m.misses(conformance.Expired, "file")
		}},
		recipe{"delegated_expires_meanwhile", "A stored delegated role that runs out is refused.", "TUF 5.6.6; tough CVE-2026-6967", func(m *maker) {
			m.delegate("targets", "delegated", nil)
			m.add("delegated", "file", []byte("late\n"))
			m.add("delegated", "other", []byte("later\n"))
			m.md["delegated"]["expires"] = date(epoch.Add(time.Hour))
			m.store("delegated")
			m.release("targets")
			m.gets(map[string]string{"file": "late\n"})
			at(m.misses(conformance.Expired, "other"), epoch.Add(2*time.Hour))
		}},
		recipe{"clock_followed", "The same repository is fresh today and over its date in two years.", "suite faketime", func(m *maker) {
			m.ok()
			at(m.stale(conformance.Expired), epoch.AddDate(2, 0, 0))
		}},
		recipe{"clock_far_ahead", "A clock far ahead fails; when it is right again, so is the update.", "TUF 5.3.10", func(m *maker) {
			at(m.fails(conformance.Expired), epoch.AddDate(60, 0, 0))
			m.ok()
		}},
		recipe{"clock_back_under_honest_update", "A clock that fell back by ten years does not stop an honest update.", "threat: clock moved back", func(m *maker) {
			m.ok()
			m.release("targets")
			at(m.ok(), epoch.AddDate(-10, 0, 0))
		}},
		recipe{"clock_back_hides_freeze", "Metadata that was over at the last verified time is over, whatever the clock says now.", "threat: clock moved back", func(m *maker) {
			m.beyond()
			m.md["timestamp"]["expires"] = date(epoch.Add(240 * time.Hour))
			m.stamp()
			m.ok()
			m.md["timestamp"]["expires"] = date(epoch.Add(480 * time.Hour))
			m.stamp()
			later := epoch.Add(300 * time.Hour)
			at(m.ok(), later)
			m.md["timestamp"]["expires"] = date(epoch.Add(290 * time.Hour))
			m.stamp()
			s := m.stale(conformance.Clock)
			s.Trusted["timestamp"] = 3
			at(s, epoch)
		}},
	)
	return f
}

func (m *maker) expired(role string) {
	s := m.stops(role, conformance.Expired)
	if role == "root" {
		m.have["root"] = m.version("root")
		s.Trusted["root"] = m.have["root"]
	}
}
