// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

// The tests of this file follow the scenarios of the public TUF conformance
// suite and have their names.

func wantRule(t *testing.T, err, rule error) {
	t.Helper()
	var verify *VerifyError
	if !errors.Is(err, rule) {
		t.Fatalf("error %v, want %v", err, rule)
	}
	if rule != fs.ErrNotExist && !errors.As(err, &verify) || strings.Contains(err.Error(), "internal fault") {
		t.Fatalf("error %v is no VerifyError", err)
	}
}

type versions = map[string]int64

func TestBasic(t *testing.T) {
	t.Run("basic_refresh_requests", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		e.ok()
		s.wantAsked("2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json")
		e.ok()
		s.wantAsked("2.root.json", "timestamp.json")
	})
	t.Run("basic_refresh_trusted_data", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		e.ok()
		for role, object := range map[string]string{"root": "1.root.json", "timestamp": "timestamp.json", "snapshot": "1.snapshot.json", "targets": "1.targets.json"} {
			got, err := os.ReadFile(filepath.Join(e.dir, role+".json"))
			if err != nil || !bytes.Equal(got, s.objects["metadata/"+object]) {
				t.Errorf("%s: stored bytes differ (%v)", role, err)
			}
		}
	})
	t.Run("only_metadata_directly_in_the_folder", func(t *testing.T) {
		s := newSim(t)
		s.delegate("targets", "../deep", nil)
		s.store("../deep")
		s.release("targets")
		e := s.endpoint()
		if _, err := e.client().Target(context.Background(), "nowhere"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		files, _ := filepath.Glob(filepath.Join(e.dir, "*.json"))
		if len(files) != 5 {
			t.Errorf("%d json files, want 5: %q", len(files), files)
		}
	})
	t.Run("implicit_refresh", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		_, err := e.client().Target(context.Background(), "nowhere")
		var source *SourceError
		if !errors.Is(err, fs.ErrNotExist) || errors.As(err, &source) || Class(err) != "absent" {
			t.Fatalf("error %v", err)
		}
		e.have(versions{"root": 1, "timestamp": 1, "snapshot": 1, "targets": 1})
	})
	t.Run("metadata_bytes_match", func(t *testing.T) {
		s := newSim(t)
		s.put(layout.Timestamp, append(s.objects[layout.Timestamp], " \n"...))
		e := s.endpoint()
		e.ok()
		got, _ := os.ReadFile(filepath.Join(e.dir, "timestamp.json"))
		if !bytes.HasSuffix(got, []byte(" \n")) {
			t.Error("trailing space is gone")
		}
	})
	t.Run("timestamp_content_changes", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		e.ok()
		s.asked()
		s.md["timestamp"]["meta"] = map[string]any{"snapshot.json": map[string]any{"version": 100}}
		s.store("timestamp")
		before, _ := os.ReadFile(filepath.Join(e.dir, "timestamp.json"))
		e.ok()
		after, _ := os.ReadFile(filepath.Join(e.dir, "timestamp.json"))
		if !bytes.Equal(before, after) {
			t.Error("timestamp of equal version was replaced")
		}
		s.wantAsked("2.root.json", "timestamp.json")
	})
	t.Run("custom_fields", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		s.md["root"]["x-custom"] = map[string]any{"big": int64(9007199254740993), "null": nil}
		s.md["root"]["keys"].(map[string]any)["root-1"].(map[string]any)["x-extra"] = []any{1, "a"}
		s.rootRoles()["root"].(map[string]any)["x-other"] = true
		s.publish("root")
		e.ok()
		e.have(versions{"root": 2})
	})
	t.Run("deprecated_keyid_hash_algorithms", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		s.md["root"]["keys"].(map[string]any)["snapshot-1"].(map[string]any)["keyid_hash_algorithms"] = []any{"md5"}
		s.publish("root")
		e.ok()
	})
}

func TestInvalidInitialRoot(t *testing.T) {
	s := newSim(t)
	good := s.objects[layout.Root(1)]
	noVersion := bytes.Replace(good, []byte(`"version":1`), []byte(`"versiom":1`), 1)
	foreign := signAs(t, s.md["root"], edKey("stranger"))
	for name, data := range map[string][]byte{"invalid_initial_root": noVersion, "unsigned_initial_root": foreign, "empty": nil} {
		_, err := New(data, t.TempDir(), s, nil)
		var verify *VerifyError
		if !errors.As(err, &verify) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	s.wantAsked()
}

func TestUnsignedMetadata(t *testing.T) {
	for _, c := range []struct {
		role string
		have versions
	}{
		{"root", versions{"root": 1, "timestamp": 0}},
		{"timestamp", versions{"root": 2, "timestamp": 0}},
		{"snapshot", versions{"root": 2, "timestamp": 2, "snapshot": 0}},
		{"targets", versions{"root": 2, "timestamp": 2, "snapshot": 2, "targets": 0}},
	} {
		t.Run("unsigned_metadata["+c.role+"]", func(t *testing.T) {
			s := newSim(t)
			e := s.endpoint()
			s.hashes = false
			keys := s.keys[c.role]
			s.keys[c.role] = nil
			s.publish("root")
			s.release("targets")
			s.keys[c.role] = keys
			e.fails(ErrSignature)
			e.have(c.have)
		})
	}
}

func TestURLAndMetadataVersionMismatch(t *testing.T) {
	for _, role := range []string{"root", "snapshot", "targets"} {
		t.Run("url_and_metadata_version_mismatch["+role+"]", func(t *testing.T) {
			s := newSim(t)
			e := s.endpoint()
			s.hashes = false
			e.ok()
			s.publish("root")
			s.release("targets")
			object := s.object(role, 2)
			s.md[role]["version"] = int64(3)
			s.put(object, s.signed(role))
			e.fails(ErrMismatch)
			want := versions{"root": 2, "timestamp": 2, "snapshot": 2, "targets": 1}
			switch role {
			case "root":
				want = versions{"root": 1, "timestamp": 1, "snapshot": 1}
			case "snapshot":
				want["snapshot"] = 1
			}
			e.have(want)
		})
	}
}

func TestHashesAndAbsence(t *testing.T) {
	for _, role := range []string{"targets", "snapshot"} {
		t.Run(role+"_hash_mismatch", func(t *testing.T) {
			s := newSim(t)
			e := s.endpoint()
			e.ok()
			s.release("targets")
			object := s.object(role, 2)
			s.put(object, bytes.Replace(s.objects[object], []byte(`"keyid":"`+role+`-1"`), []byte(`"keyid":"`+role+`-2"`), 1))
			e.fails(ErrMismatch)
			e.have(versions{"timestamp": 2, role: 1})
		})
		t.Run(role+"_404", func(t *testing.T) {
			s := newSim(t)
			e := s.endpoint()
			e.ok()
			s.release("targets")
			s.drop(s.object(role, 2))
			err := e.refresh()
			var source *SourceError
			if !errors.As(err, &source) || Class(err) != "network" {
				t.Errorf("error %v", err)
			}
			e.have(versions{"timestamp": 2, role: 1})
		})
	}
	t.Run("timestamp_404", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		s.drop(layout.Timestamp)
		if Class(e.refresh()) != "network" {
			t.Error("not a network error")
		}
		s.wantAsked("2.root.json", "timestamp.json")
	})
	t.Run("incorrect_metadata_type", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		s.put(layout.Timestamp, signAs(t, s.md["snapshot"], s.keys["timestamp"]...))
		e.fails(ErrMalformed)
	})
}

func TestExpiration(t *testing.T) {
	past := epoch.Add(-time.Hour).Format(time.RFC3339)
	for _, c := range []struct {
		role string
		have versions
	}{
		{"root", versions{"root": 2, "timestamp": 1}},
		{"timestamp", versions{"root": 2, "timestamp": 1}},
		{"snapshot", versions{"timestamp": 2, "snapshot": 1}},
		{"targets", versions{"timestamp": 2, "snapshot": 2, "targets": 1}},
	} {
		t.Run(c.role+"_expired", func(t *testing.T) {
			s := newSim(t)
			e := s.endpoint()
			e.ok()
			s.md[c.role]["expires"] = past
			s.publish("root")
			s.release("targets")
			err := e.refresh()
			wantRule(t, err, ErrExpired)
			var expired *ExpiredError
			if !errors.As(err, &expired) || expired.Role != c.role || !expired.Clock.Equal(epoch) || Class(err) != "expired" {
				t.Errorf("error %v", err)
			}
			e.have(c.have)
			e.opts.UnsafeIgnoreExpiry = true
			e.ok()
		})
	}
	t.Run("expired_local_root", func(t *testing.T) {
		s := newSim(t)
		s.md["root"]["expires"] = past
		s.store("root")
		e := s.endpoint()
		e.fails(ErrExpired)
		s.md["root"]["expires"] = epoch.AddDate(1, 0, 0).Format(time.RFC3339)
		s.publish("root")
		e.ok()
	})
	t.Run("expired_local_timestamp", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		s.md["timestamp"]["expires"] = epoch.Add(time.Hour).Format(time.RFC3339)
		s.stamp()
		e.ok()
		e.now = epoch.Add(2 * time.Hour)
		e.fails(ErrExpired)
		s.md["timestamp"]["expires"] = epoch.Add(24 * time.Hour).Format(time.RFC3339)
		s.stamp()
		e.ok()
	})
	t.Run("faketime", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		e.ok()
		e.now = epoch.AddDate(0, 2, 0)
		e.fails(ErrExpired)
	})
	t.Run("exactly_at_expiry", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		e.now = epoch.AddDate(0, 1, 0)
		e.fails(ErrExpired)
		e.now = e.now.Add(-time.Second)
		e.ok()
	})
}

func (e *endpoint) download(name, dest string) error {
	c := e.client()
	target, err := c.Target(context.Background(), name)
	if err != nil {
		return err
	}
	return c.Download(context.Background(), target, dest)
}

func TestFileDownload(t *testing.T) {
	content := []byte("target file contents")
	t.Run("client_downloads_expected_file_in_sub_dir", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		s.add("targets", "path/to/a/file.txt", content)
		s.release("targets")
		dest := filepath.Join(t.TempDir(), "file")
		if err := e.download("path/to/a/file.txt", dest); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(dest); !bytes.Equal(got, content) {
			t.Errorf("content %q", got)
		}
		s.asked()
		if err := e.download("path/to/a/file.txt", dest); err != nil {
			t.Fatal(err)
		}
		s.wantAsked("2.root.json", "timestamp.json") // artifact_cache
	})
	t.Run("repository_substitutes_target_file", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		s.add("targets", "file", content)
		s.release("targets")
		for name := range s.objects {
			if strings.HasPrefix(name, "targets/") {
				s.put(name, []byte("malicious contents!!"))
			}
		}
		dir := t.TempDir()
		wantRule(t, e.download("file", filepath.Join(dir, "file")), ErrMismatch)
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("left %v", left)
		}
	})
	t.Run("multiple_changes_to_target", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		dest := filepath.Join(t.TempDir(), "file")
		for i := range 11 {
			good := fmt.Appendf(nil, "release %d", i)
			s.add("targets", "file", good)
			s.release("targets")
			if err := e.download("file", dest); err != nil {
				t.Fatal(err)
			}
			s.md["targets"]["targets"].(map[string]any)["file"].(map[string]any)["length"] = 3
			s.release("targets")
			wantRule(t, e.download("file", dest), ErrMismatch)
			if got, _ := os.ReadFile(dest); !bytes.Equal(got, good) {
				t.Fatalf("content %q", got)
			}
		}
	})
	for _, algorithms := range [][]string{{"sha256"}, {"sha512"}, {"sha256", "sha512"}} {
		t.Run(fmt.Sprintf("download_with_hash_algorithms%v", algorithms), func(t *testing.T) {
			s := newSim(t)
			e := s.endpoint()
			s.add("targets", "file", content, algorithms...)
			s.release("targets")
			if err := e.download("file", filepath.Join(t.TempDir(), "file")); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Run("download_with_unknown_hash_algorithm", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		s.add("targets", "file", content, "md5")
		s.release("targets")
		wantRule(t, e.download("file", filepath.Join(t.TempDir(), "file")), ErrMalformed)
		e.ok()
	})
	t.Run("not_consistent", func(t *testing.T) {
		s := newSim(t)
		s.consist, s.hashes = false, false
		s.md["root"]["consistent_snapshot"] = false
		s.publish("root")
		s.add("targets", "dir/file", content)
		s.release("targets")
		e := s.endpoint()
		if err := e.download("dir/file", filepath.Join(t.TempDir(), "file")); err != nil {
			t.Fatal(err)
		}
		s.wantAsked("2.root.json", "3.root.json", "timestamp.json", "snapshot.json", "targets.json", "targets/dir/file")
	})
}

func TestKeys(t *testing.T) {
	t.Run("snapshot_does_not_meet_threshold", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		e.ok()
		s.addKey("snapshot", edKey("snapshot-2"))
		s.threshold("snapshot", 3)
		s.publish("root")
		s.commit()
		e.fails(ErrThreshold)
		e.have(versions{"root": 2, "timestamp": 2, "snapshot": 0})
	})
	t.Run("duplicate_keys", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		s.threshold("snapshot", 2)
		for i := range 9 {
			k := edKey("snapshot-1")
			k.id = fmt.Sprint("alias-", i)
			s.addKey("snapshot", k)
		}
		s.publish("root")
		s.commit()
		e.fails(ErrThreshold)
	})
	t.Run("duplicate_keyids_in_role", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		s.threshold("snapshot", 2)
		entry, _ := s.entry("snapshot")
		entry["keyids"] = []any{"snapshot-1", "snapshot-1"}
		s.publish("root")
		s.commit()
		e.fails(ErrThreshold)
	})
	t.Run("duplicate_sig_keyids", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		s.keys["timestamp"] = append(s.keys["timestamp"], s.keys["timestamp"][0])
		s.stamp()
		e.fails(ErrMalformed)
	})
	t.Run("invalid_sig_in_valid_metadata", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		s.addKey("timestamp", edKey("timestamp-2"))
		s.addKey("timestamp", edKey("timestamp-3"))
		s.keys["timestamp"][1].sign = func([]byte) []byte { return nil }
		s.keys["timestamp"][2].sign = func([]byte) []byte { return make([]byte, 64) }
		s.publish("root")
		s.stamp()
		e.ok()
	})
}

func TestUnusualRoleName(t *testing.T) {
	for _, role := range []string{"?", "#", "/delegatedrole", "../delegatedrole", "a b", "Targets", "ROOT", "con", "NUL.txt", "é", strings.Repeat("long", 60)} {
		t.Run("unusual_role_name["+role+"]", func(t *testing.T) {
			s := newSim(t)
			s.delegate("targets", role, nil)
			s.store(role)
			s.release("targets")
			e := s.endpoint()
			for range 2 {
				if _, err := e.client().Target(context.Background(), "nonexistent"); !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
			}
			e.have(versions{role: 1, "targets": 2, "root": 1})
			asked := s.asked()
			if n := len(slices.DeleteFunc(asked, func(r string) bool { return "metadata/"+r != layout.Versioned(role, 1) })); n != 1 {
				t.Errorf("role was requested %d times", n)
			}
		})
	}
}
