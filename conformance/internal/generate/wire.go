// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"github.com/waybill-project/waybill/conformance"
)

// wire are servers that do not answer as they should, and answers without end.
func wire() family {
	type reply = conformance.Reply
	f := family{name: "wire"}
	stamp := "metadata/timestamp.json"
	for _, c := range []struct {
		name, shows, path, role, expect string
		reply                           reply
	}{
		{"timestamp_server_error", "A server error is no timestamp.", stamp, "timestamp", conformance.Network, reply{Status: 500}},
		{"timestamp_forbidden", "A timestamp that may not be read is none.", stamp, "timestamp", conformance.Network, reply{Status: 403}},
		{"timestamp_gone", "A timestamp that is gone is none.", stamp, "timestamp", conformance.Network, reply{Status: 410}},
		{"timestamp_no_content", "No content is no timestamp.", stamp, "timestamp", "network|malformed", reply{Status: 204}},
		{"timestamp_unasked_not_modified", "Not modified is no answer to a question that was not asked.", stamp, "timestamp", "network|malformed", reply{Status: 304}},
		{"timestamp_in_circles", "A redirect in circles ends.", stamp, "timestamp", conformance.Network, reply{Status: 302, Location: "/metadata/timestamp.json"}},
		{"timestamp_redirected_to_file", "A redirect to a local file is not followed.", stamp, "timestamp", conformance.Network, reply{Status: 302, Location: "file:///etc/hostname"}},
		{"timestamp_redirected_nowhere", "A redirect to nowhere is no timestamp.", stamp, "timestamp", conformance.Network, reply{Status: 302, Location: "/nowhere"}},
		{"timestamp_claims_gzip", "An encoding that nobody asked for is not undone, or fails.", stamp, "timestamp", "network|malformed", reply{Encoding: "gzip"}},
		{"timestamp_breaks_off", "A timestamp that breaks off is none.", stamp, "timestamp", conformance.Network, reply{Cut: 100}},
		{"timestamp_endless", "A timestamp that does not end is left.", stamp, "timestamp", conformance.TooLarge, reply{Endless: true}},
		{"timestamp_of_megabytes", "A timestamp of two megabytes is not read.", stamp, "timestamp", conformance.TooLarge, reply{Pad: 2 << 20}},
		{"timestamp_unauthorized", "A timestamp that wants a password is none.", stamp, "timestamp", conformance.Network, reply{Status: 401}},
		{"timestamp_too_many_requests", "A server that is busy gave no timestamp.", stamp, "timestamp", conformance.Network, reply{Status: 429}},
		{"timestamp_bad_gateway", "A gateway that is broken gave no timestamp.", stamp, "timestamp", conformance.Network, reply{Status: 502}},
		{"timestamp_range_refused", "A refused range is no answer to a request without one.", stamp, "timestamp", conformance.Network, reply{Status: 416}},
		{"timestamp_redirected_without_place", "A redirect that leads to no place is no timestamp.", stamp, "timestamp", "network|malformed", reply{Status: 302}},
		{"timestamp_redirected_to_script", "A redirect to another scheme is not followed.", stamp, "timestamp", conformance.Network, reply{Status: 302, Location: "javascript:alert(1)"}},
		{"timestamp_redirected_to_closed_port", "A redirect to where nobody listens is no timestamp.", stamp, "timestamp", conformance.Network, reply{Status: 307, Location: "http://127.0.0.1:1/timestamp.json"}},
		{"timestamp_at_once_broken_off", "A timestamp that breaks off after a byte is none.", stamp, "timestamp", conformance.Network, reply{Cut: 1}},
		{"root_in_circles", "A redirect in circles is not the end of the roots.", "metadata/2.root.json", "root", conformance.Network, reply{Status: 302, Location: "/metadata/2.root.json"}},
		{"root_bad_request", "An error of the request is not the end of the roots.", "metadata/2.root.json", "root", conformance.Network, reply{Status: 400}},
		{"root_claims_gzip", "An encoding that nobody asked for is not undone, or fails.", "metadata/2.root.json", "root", "network|malformed", reply{Encoding: "gzip"}},
		{"snapshot_claims_gzip", "An encoding that nobody asked for is not undone, or fails.", "metadata/2.snapshot.json", "snapshot", "network|malformed|mismatch", reply{Encoding: "gzip"}},
		{"targets_in_circles", "A redirect in circles ends.", "metadata/2.targets.json", "targets", conformance.Network, reply{Status: 302, Location: "/metadata/2.targets.json"}},
		{"root_endless", "A root that does not end is left.", "metadata/2.root.json", "root", conformance.TooLarge, reply{Endless: true}},
		{"root_of_megabytes", "A root of four megabytes is not read.", "metadata/2.root.json", "root", conformance.TooLarge, reply{Pad: 4 << 20}},
		{"root_server_error", "A server error is not the end of the roots.", "metadata/2.root.json", "root", conformance.Network, reply{Status: 503}},
		{"root_breaks_off", "A root that breaks off is none.", "metadata/2.root.json", "root", conformance.Network, reply{Cut: 100}},
		{"snapshot_endless", "A snapshot is not read beyond its listed length.", "metadata/2.snapshot.json", "snapshot", "too-large|mismatch", reply{Endless: true}},
		{"snapshot_padded", "A snapshot is not read beyond its listed length.", "metadata/2.snapshot.json", "snapshot", "too-large|mismatch", reply{Pad: 1}},
		{"snapshot_breaks_off", "A snapshot that breaks off is none.", "metadata/2.snapshot.json", "snapshot", "network|mismatch", reply{Cut: 100}},
		{"snapshot_server_error", "A server error is no snapshot.", "metadata/2.snapshot.json", "snapshot", conformance.Network, reply{Status: 500}},
		{"targets_endless", "Targets are not read beyond their listed length.", "metadata/2.targets.json", "targets", "too-large|mismatch", reply{Endless: true}},
		{"targets_padded", "Targets are not read beyond their listed length.", "metadata/2.targets.json", "targets", "too-large|mismatch", reply{Pad: 1}},
		{"targets_breaks_off", "Targets that break off are none.", "metadata/2.targets.json", "targets", "network|mismatch", reply{Cut: 100}},
		{"targets_server_error", "A server error is no targets role.", "metadata/2.targets.json", "targets", conformance.Network, reply{Status: 500}},
	} {
		f.recipes = append(f.recipes, recipe{c.name, c.shows, "TUF 5.3.3, 5.4.1, 5.5.1, 5.6.1 (endless data)", func(m *maker) {
			m.ok()
			m.publish("root")
			m.release("targets")
			m.reply(c.path, c.reply)
			m.stops(c.role, c.expect)
			m.reply(c.path, reply{})
			m.ok()
		}})
	}
	app := "targets/" + sum256([]byte(appOne)) + ".app.bin"
	for _, c := range []struct {
		name, shows, expect string
		reply               reply
	}{
		{"target_endless", "A target is not read beyond its listed length.", "too-large|mismatch", reply{Endless: true}},
		{"target_padded", "A target with a byte too many is refused.", "too-large|mismatch", reply{Pad: 1}},
		{"target_breaks_off", "A target that breaks off is not there.", "network|mismatch", reply{Cut: 10}},
		{"target_server_error", "A server error is no target.", conformance.Network, reply{Status: 500}},
		{"target_forbidden", "A target that may not be read is not there.", conformance.Network, reply{Status: 403}},
		{"target_in_circles", "A redirect in circles ends.", conformance.Network, reply{Status: 302, Location: "/" + app}},
		{"target_partial_content", "Part of a target that nobody asked for is no target.", "network|mismatch", reply{Status: 206, Cut: 10}},
		{"target_claims_gzip", "An encoding that nobody asked for is not undone, or fails.", "network|mismatch", reply{Encoding: "gzip"}},
	} {
		f.recipes = append(f.recipes, recipe{c.name, c.shows, "TUF 5.7.2 (endless data)", func(m *maker) {
			m.reply(app, c.reply)
			m.misses(c.expect, "app.bin")
			m.reply(app, reply{})
			m.gets(map[string]string{"app.bin": appOne})
		}})
	}
	for kind, shows := range map[string]string{
		"honest": "A server that serves ranges is used or not.", "shifted": "A range that begins elsewhere than it says does no lasting harm.",
		"other": "A range that was not asked for does no lasting harm.", "refused": "A server that refuses ranges does no lasting harm.",
	} {
		f.recipes = append(f.recipes, recipe{"target_range_" + kind, shows, "threat: ranges", func(m *maker) {
			m.reply(app, reply{Cut: 10})
			m.misses("network|mismatch", "app.bin")
			m.reply(app, reply{Range: kind})
			s := m.misses(conformance.Any, "app.bin")
			s.May = map[string]string{"app.bin": sum256([]byte(appOne))}
			m.reply(app, reply{})
			m.gets(map[string]string{"app.bin": appOne})
		}})
	}
	sorted(f.recipes)
	f.recipes = append(f.recipes,
		recipe{"timestamp_under_headers", "A megabyte of headers is not collected, or does no harm.", "threat: hostile headers", func(m *maker) {
			m.ok()
			m.reply(stamp, reply{Headers: 1 << 20})
			m.as(conformance.Refresh, conformance.Any)
			m.reply(stamp, reply{})
			m.ok()
		}},
		recipe{"root_forbidden_at_end", "A store that answers 403 for what it does not have ends the roots.", "practice of object stores", func(m *maker) {
			m.beyond()
			m.reply("metadata/2.root.json", reply{Status: 403})
			m.ok()
		}},
		recipe{"root_gone_at_end", "410 for the next root ends the roots.", "RFC 9110 15.5.11", func(m *maker) {
			m.beyond()
			m.reply("metadata/2.root.json", reply{Status: 410})
			m.ok()
		}},
		recipe{"timestamp_redirected", "A redirect to another place of the server is followed.", "RFC 9110 15.4", func(m *maker) {
			m.ok()
			m.release("targets")
			m.files["metadata/moved.json"] = m.files[stamp]
			m.reply(stamp, reply{Status: 302, Location: "/metadata/moved.json"})
			m.ok()
		}},
		recipe{"target_redirected", "A redirect to another place of the server is followed.", "RFC 9110 15.4", func(m *maker) {
			m.files["targets/moved"] = []byte(appOne)
			m.reply(app, reply{Status: 302, Location: "/targets/moved"})
			m.gets(map[string]string{"app.bin": appOne})
		}},
		recipe{"target_redirected_to_other", "What a redirect leads to is verified like anything else.", "TUF 5.7.3", func(m *maker) {
			m.files["targets/moved"] = []byte("version 6 of the application\n")
			m.reply(app, reply{Status: 302, Location: "/targets/moved"})
			m.misses(conformance.Mismatch, "app.bin")
		}},
		recipe{"snapshot_endless_without_length", "A snapshot of unknown length has a limit.", "TUF 5.5.1", func(m *maker) {
			m.hashes = false
			m.ok()
			m.release("targets")
			m.reply(m.path("snapshot"), reply{Endless: true})
			m.stops("snapshot", conformance.TooLarge)
		}},
		recipe{"targets_endless_without_length", "Targets of unknown length have a limit.", "TUF 5.6.1", func(m *maker) {
			m.hashes = false
			m.ok()
			m.release("targets")
			m.reply(m.path("targets"), reply{Endless: true})
			m.stops("targets", conformance.TooLarge)
		}},
		recipe{"target_resumed_over_false_start", "What is left of a false transfer does not spoil the next one.", "threat: ranges", func(m *maker) {
			m.files[app] = []byte("FALSE bytes of the same length"[:len(appOne)])
			m.reply(app, reply{Cut: 10})
			m.misses("network|mismatch", "app.bin")
			m.files[app] = []byte(appOne)
			m.reply(app, reply{Range: "honest"})
			m.gets(map[string]string{"app.bin": appOne})
		}},
		recipe{"target_listed_as_huge", "A listed length of a petabyte is not allocated.", "threat: endless data", func(m *maker) {
			m.targets("targets")["app.bin"].(object)["length"] = int64(1) << 50
			m.release("targets")
			m.misses("mismatch|network|too-large|space", "app.bin")
		}},
	)
	return f
}
