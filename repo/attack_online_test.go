// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/release"
)

func TestAttackerMakesSoftwareWithTheOnlineKeyAndClientsRefuseIt(t *testing.T) {
	const version, evil = "66.6.6", "#!/bin/sh\necho evil\n"
	right := release.Identity{Schema: 1, Product: "app", Version: version, Platform: "linux-amd64", Kind: "file"}
	tests := []struct {
		name, role, target string
		want               error
	}{
		{"under the name of a patch", policy.RoleDeltas, "app/deltas/linux-amd64/app", fetcher.ErrWrongSoftware},
		{"under the name of a channel's document", policy.RoleChannels, "app/channels/stable/app", fetcher.ErrWrongSoftware},
		{"under a name that is not delegated", policy.RoleDeltas, "app/66.6.6/linux-amd64/app", fetcher.ErrMismatch},
		{"under the name of another release", policy.RoleDeltas, "app/1.0.0/linux-amd64/app", fetcher.ErrWrongSoftware},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			r := w.initialise()
			w.release(r, "1.0.0", "stable")
			f := w.thief(r)
			f.putTarget(test.target, evil)
			f.role(test.role, 0, func(m *metadata.TargetsType) { m.Targets[test.target] = targetFile(evil, right.Custom()) })
			f.offer(release.Release{Version: version, Published: epoch, Kind: "file",
				Artifact: release.Artifact{Target: test.target, Length: int64(len(evil)), SHA256: hexHash([]byte(evil))}})
			f.commit()
			client := w.client()
			ch, err := client.Channel(ctx, "app", "stable", "linux-amd64")
			w.must(err)
			if a, err := client.Artifact(ctx, ch, ch.Find(version)); !errors.Is(err, test.want) {
				t.Errorf("got %+v, %v", a, err)
			}
			w.release(r, "1.1.0", "stable")
			w.must(client.Refresh(ctx))
			ch, err = client.Channel(ctx, "app", "stable", "linux-amd64")
			if err != nil || ch.Find(version) != nil || ch.Find("1.1.0") == nil {
				t.Errorf("the next release did not take it out: %v %+v", err, ch)
			}
			if found, err := client.Target(ctx, test.target); err == nil && found.Hashes["sha256"] == hexHash([]byte(evil)) {
				t.Errorf("%s is still signed by %s", test.target, found.Role)
			}
		})
	}
}

func TestAttackerMakesSoftwareWithOurToolAndItRefuses(t *testing.T) {
	const target = "app/deltas/linux-amd64/app"
	rel := release.Release{Version: "66.6.6", Published: epoch, Kind: "file",
		Artifact: release.Artifact{Target: target, Length: 4, SHA256: hexHash([]byte("evil"))}}
	id := release.Identity{Schema: 1, Product: "app", Version: rel.Version, Platform: "linux-amd64", Kind: "file"}
	for name, custom := range map[string]json.RawMessage{"with an identity": id.Custom(), "without one": nil} {
		w := newWorld(t)
		r := w.initialise()
		w.release(r, "1.0.0", "stable")
		w.absent["release"] = true
		d, err := r.Begin(ctx, nil)
		w.must(err)
		w.must(d.set(File{Target: target, Length: 4, SHA256: rel.Artifact.SHA256, Content: []byte("evil")}, custom))
		ch, err := d.channel(ctx, "app", "stable", "linux-amd64")
		w.must(err)
		ch.Releases = append(ch.Releases, rel)
		w.must(d.setChannel(ch))
		before := objects(t, w.bucket)
		c, err := d.Change()
		if err == nil {
			_, err = r.Publish(ctx, c, w.sign, nil)
		}
		if err == nil || objects(t, w.bucket) != before {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAttackerListsForeignNamesAndTheRotationDropsThem(t *testing.T) {
	for _, role := range []string{policy.RoleChannels, policy.RoleDeltas} {
		t.Run(role, func(t *testing.T) {
			w := newWorld(t)
			r := w.initialise()
			w.release(r, "1.0.0", "stable")
			f := w.thief(r)
			identity := *f.live.targets.Signed.Targets["app/1.0.0/linux-amd64/app"].Custom
			names := []string{"app/1.0.0/linux-amd64/app", "app/9.9.9/linux-amd64/app", "app/standing.json"}
			f.role(role, 0, func(m *metadata.TargetsType) {
				for _, name := range names {
					f.putTarget(name, "evil")
					m.Targets[name] = targetFile("evil", identity)
				}
			})
			f.commit()
			_, err := w.replaceOnlineKey(nil)
			w.must(err)
			client := w.client()
			for _, name := range names {
				found, err := client.Target(ctx, name)
				if err == nil && found.Hashes["sha256"] == hexHash([]byte("evil")) {
					t.Errorf("%s is signed by %s now", name, found.Role)
				}
			}
			w.release(w.open(), "1.1.0", "stable")
		})
	}
}

func TestAttackerMovesForeignNamesIntoTargetsWhenDelegationsEnd(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "stable")
	w.release(r, "1.1.0", "stable")
	f := w.thief(r)
	names := []string{"app/1.0.0/linux-amd64/app", "app/9.9.9/linux-amd64/app", "app/standing.json"}
	f.role(policy.RoleDeltas, 0, func(m *metadata.TargetsType) {
		for _, name := range names {
			f.putTarget(name, "evil")
			m.Targets[name] = targetFile("evil", nil)
		}
	})
	f.commit()
	w.plain = true
	w.must(w.rotate(nil, "release"))
	client := w.client()
	for _, name := range names {
		found, err := client.Target(ctx, name)
		if err == nil && found.Hashes["sha256"] == hexHash([]byte("evil")) {
			t.Errorf("%s is signed by %s now", name, found.Role)
		}
	}
	ch, err := client.Channel(ctx, "app", "stable", "linux-amd64")
	if err != nil || len(ch.Releases) != 2 || len(ch.Find("1.1.0").Deltas) != 1 {
		t.Errorf("what was delegated is lost: %v %+v", err, ch)
	}
}

func TestAttackerUsesUpAllNumbersAndTheRotationStartsAnew(t *testing.T) {
	const last = layout.MaxVersion
	tests := []struct {
		name  string
		steal func(*thief)
	}{
		{"of the timestamp", func(f *thief) { f.timestamp = last }},
		{"of the snapshot", func(f *thief) { f.snapshot = last }},
		{"of both", func(f *thief) { f.timestamp, f.snapshot = last, last }},
		{"of the timestamp but one", func(f *thief) { f.timestamp = last - 1 }},
		{"of the snapshot but one", func(f *thief) { f.snapshot = last - 1 }},
		{"of everything", func(f *thief) {
			f.timestamp, f.snapshot = last, last
			f.role(policy.RoleChannels, last, func(*metadata.TargetsType) {})
			f.role(policy.RoleDeltas, last, func(*metadata.TargetsType) {})
		}},
		{"of channels", func(f *thief) { f.role(policy.RoleChannels, last, func(*metadata.TargetsType) {}) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			r := w.initialise()
			w.release(r, "1.0.0", "stable")
			f := w.thief(r)
			test.steal(f)
			f.commit()
			warm, err := w.tryClient(t.TempDir())
			w.must(err)
			_, err = warm.Channel(ctx, "app", "stable", "linux-amd64")
			w.must(err)
			p, err := w.replaceOnlineKey(&PublishOptions{OldKeysLost: true})
			w.must(err)
			if p.Timestamp > 100 || p.Snapshot > 100 {
				t.Errorf("published timestamp %d, snapshot %d", p.Timestamp, p.Snapshot)
			}
			w.must(warm.Refresh(ctx))
			r = w.open()
			w.release(r, "1.1.0", "stable")
			w.now = w.now.Add(24 * time.Hour)
			for range 2 {
				_, err = r.Refresh(ctx, w.sign)
				w.must(err)
			}
			for name, client := range map[string]*fetcher.Client{"warm": warm, "new": w.client()} {
				w.must(client.Refresh(ctx))
				doc, err := client.Channel(ctx, "app", "stable", "linux-amd64")
				if err != nil || doc.Find("1.1.0") == nil {
					t.Errorf("a %s client: %v", name, err)
				}
			}
		})
	}
	t.Logf("figure D14: after each of %d thefts of the online key clients, new or led astray, are well after one refresh; bound 1", len(tests))
}

func TestAttackerOffersWhatNobodySignedAndTheNextReleaseDropsIt(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "stable")
	f := w.thief(r)
	f.offer(release.Release{Version: "66.6.6", Published: epoch, Kind: "file",
		Artifact: release.Artifact{Target: "app/66.6.6/linux-amd64/app", Length: 4, SHA256: hexHash([]byte("evil"))}})
	f.commit()
	_, err := w.replaceOnlineKey(nil)
	w.must(err)
	w.release(w.open(), "1.1.0", "stable")
	ch, err := w.client().Channel(ctx, "app", "stable", "linux-amd64")
	if err != nil || ch.Find("1.1.0") == nil || ch.Find("66.6.6") != nil {
		t.Errorf("%v %+v", err, ch)
	}
}

func TestAttackerPublishesWhatCannotBeReadAndTheLastGoodTimestampLeadsOn(t *testing.T) {
	states := map[string]func(*thief){
		"targets that are not there": func(f *thief) {
			m := *f.meta["targets.json"]
			m.Version = 77
			f.meta["targets.json"] = &m
		},
		"no channels": func(f *thief) { delete(f.meta, "channels.json") },
	}
	for name, steal := range states {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.initialise()
			w.release(r, "1.0.0", "stable")
			warm, good := w.warm(), w.object(layout.Timestamp)
			f := w.thief(r)
			steal(f)
			f.commit()
			if err := warm.Refresh(ctx); err == nil {
				t.Fatal("a client follows the thief")
			}
			w.put(layout.Timestamp, good)
			_, err := w.replaceOnlineKey(nil)
			w.must(err)
			w.checkClients(warm, 0, false)
		})
	}
}
