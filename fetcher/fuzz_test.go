// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/waybill-project/waybill/repo/layout"
)

// fuzzSim is a small repository with a delegation, and what it signs.
func fuzzSim() *sim {
	s := newSim(&testing.T{})
	s.delegate("targets", "A", nil)
	s.add("targets", "file", []byte("content"))
	s.store("A")
	s.release("targets")
	return s
}

// FuzzSigned signs what the fuzzer makes, so that everything behind the check of
// the signature is reached too: a publisher's bug must not harm a client.
func FuzzSigned(f *testing.F) {
	s := fuzzSim()
	roles := []string{"root", "timestamp", "snapshot", "targets"}
	for i, role := range roles {
		tree, err := scan(string(s.signed(role)), false)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), []byte(tree.get("signed").str))
	}
	trusted, err := verifyFirstRoot(s.objects[layout.Root(1)])
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, which uint8, signed []byte) {
		role := roles[int(which)%len(roles)]
		data, ok := envelopeFor(signed, s.keys[role][0])
		if !ok {
			return
		}
		if role == "root" {
			checkRoot(t, data, trusted)
			return
		}
		checkRole(t, role, data, trusted)
	})
}

func envelopeFor(signed []byte, k *simKey) ([]byte, bool) {
	tree, err := scan(string(signed), false)
	if err != nil {
		return nil, false
	}
	payload, err := appendCanonical(nil, &tree)
	if err != nil {
		return nil, false
	}
	var b bytes.Buffer
	b.WriteString(`{"signatures":[{"keyid":"` + k.id + `","sig":"` + hex.EncodeToString(k.sign(payload)) + `"}],"signed":`)
	b.Write(signed)
	b.WriteString("}")
	return b.Bytes(), true
}

func checkRoot(t *testing.T, data []byte, trusted *root) {
	r, err := verifyNextRoot(data, trusted)
	if err != nil {
		return
	}
	if r.version != trusted.version+1 || r.expires.IsZero() {
		t.Errorf("accepted version %d, expires %v", r.version, r.expires)
	}
	for name, by := range r.roles {
		if by.threshold < 1 || len(by.id) != 64 {
			t.Errorf("%s: threshold %d, id %q", name, by.threshold, by.id)
		}
	}
}

func checkRole(t *testing.T, role string, data []byte, trusted *root) {
	want := fileMeta{version: 1, length: -1}
	switch role {
	case "timestamp":
		if x, err := verifyTimestamp(data, trusted, nil); err == nil && x.snapshot.version < 1 {
			t.Errorf("snapshot version %d", x.snapshot.version)
		}
	case "snapshot":
		if x, err := verifySnapshot(data, trusted, want, nil); err == nil && x.meta["targets"].version < 1 {
			t.Errorf("targets version %d", x.meta["targets"].version)
		}
	default:
		x, err := verifyTargets(data, role, trusted.roles["targets"], want)
		if err != nil {
			return
		}
		for _, m := range x.files.members {
			if found := x.lookup(m.name); found == nil || found.Length < 0 || len(found.Hashes) == 0 {
				t.Errorf("%q is listed as %+v", m.name, found)
			}
		}
		for _, d := range x.delegations.matching("file") {
			if _, ok := x.delegations.find(d.name); !ok {
				t.Errorf("delegation %q is not found again", d.name)
			}
		}
	}
}

// FuzzStored puts anything in place of a stored file: the next run heals it.
func FuzzStored(f *testing.F) {
	s := fuzzSim()
	names := []string{"root.json", "timestamp.json", "snapshot.json", "targets.json", "A.json", rootFile(1), rootFile(2), floorFile}
	for i, role := range []string{"root", "timestamp", "snapshot", "targets", "A"} {
		f.Add(uint8(i), s.signed(role))
	}
	f.Add(uint8(7), []byte("{\"root\":1}\n00\n"))
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		c, err := New(s.objects[layout.Root(1)], "", s, &Options{Ephemeral: true, Now: (&endpoint{now: epoch}).clock()})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
		c.store.mem[names[int(which)%len(names)]] = data
		if err := c.Refresh(context.Background()); err != nil {
			t.Fatalf("%s: %v", names[int(which)%len(names)], err)
		}
		if _, err := c.Target(context.Background(), "file"); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzFloor: what is read is nothing, or what can be written.
func FuzzFloor(f *testing.F) {
	good := &store{mem: map[string][]byte{}}
	if err := good.setFloor(floor{Root: 3, Keys: "k", Time: epoch, ETag: `"x"`, Of: sum256(nil)}); err != nil {
		f.Fatal(err)
	}
	f.Add(good.mem[floorFile])
	line := `{"root":9007199254740993,"keys":"","time":"2026-03-01T12:00:00Z"}`
	f.Add([]byte(line + "\n" + sum256([]byte(line)) + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &store{mem: map[string][]byte{floorFile: data}}
		was := s.floor()
		if err := s.setFloor(was); err != nil {
			return // a year that JSON has no form for
		}
		if now := s.floor(); now.Root != was.Root || now.Keys != was.Keys || !now.Time.Equal(was.Time) || now.ETag != was.ETag {
			t.Errorf("%+v became %+v", was, now)
		}
		line, _, _ := bytes.Cut(data, []byte("\n"))
		s.mem[floorFile] = append(append(slices.Clone(line), '\n'), sum256(line)...)
		s.floor()
	})
}

// FuzzAnswer lets a server say anything at all.
func FuzzAnswer(f *testing.F) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: \"x\"\r\n\r\nok", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-6/7\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "HTTP/1.0 304 Not Modified\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", "HTTP/1.1 429 Slow\r\nRetry-After: 99999999999\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 416 No\r\nContent-Range: bytes */3\r\n\r\n",
	} {
		f.Add([]byte(answer), int64(5))
	}
	f.Fuzz(func(t *testing.T, answer []byte, offset int64) {
		src, err := NewHTTPSource("http://127.0.0.1:1", &HTTPOptions{Retries: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer src.client.CloseIdleConnections()
		src.client.Transport.(*http.Transport).Proxy = nil
		src.client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go func() {
				defer far.Close()
				_, _ = far.Read(make([]byte, 4<<10))
				_, _ = far.Write(answer)
			}()
			return near, nil
		}
		req := Request{Offset: max(offset, 0), ETag: `"x"`}
		resp, err := src.Open(context.Background(), "targets/file", req)
		switch {
		case err != nil:
			if Class(err) != "network" {
				t.Errorf("class %q: %v", Class(err), err)
			}
		case resp.NotModified:
		case resp.Offset != 0 && resp.Offset != req.Offset:
			t.Errorf("offset %d for %d", resp.Offset, req.Offset)
			fallthrough
		default:
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
			resp.Body.Close()
		}
	})
}

// FuzzMatch compares the matcher of delegated paths with a model without shortcuts.
func FuzzMatch(f *testing.F) {
	for _, c := range [][2]string{{"*", "a"}, {"a/*/c", "a/b/c"}, {"a?c", "aäc"}, {"**", ""}, {"*a*a*b", "aaaaaaab"}, {"[a]", "a"}, {"\\*", "*"}, {",?*?? ", ",0\uf28a "}, {"*?", "\uf28a"}} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if len(pattern) > 40 || len(path) > 40 || !utf8.ValidString(pattern) || !utf8.ValidString(path) {
			return // no other text comes through the scan
		}
		p, s := strings.Split(pattern, "/"), strings.Split(path, "/")
		want := len(p) == len(s)
		for i := 0; want && i < len(p); i++ {
			want = slowMatch(p[i], s[i])
		}
		if got := match(pattern, path); got != want {
			t.Errorf("%q against %q: %v", pattern, path, got)
		}
	})
}

func slowMatch(p, s string) bool {
	reach := make([]bool, len(s)+1) // after what bytes of s the pattern so far may end
	reach[0] = true
	for i := range len(p) {
		next := make([]bool, len(s)+1)
		for j := range reach {
			if !reach[j] {
				continue
			}
			switch {
			case p[i] == '*':
				for k := j; k < len(s); {
					next[k] = true
					_, width := utf8.DecodeRuneInString(s[k:])
					k += width
				}
				next[len(s)] = true
			case p[i] == '?' && j < len(s):
				_, width := utf8.DecodeRuneInString(s[j:])
				next[j+width] = true
			case j < len(s) && p[i] == s[j]:
				next[j+1] = true
			}
		}
		reach = next
	}
	return reach[len(s)]
}

// FuzzRoleFile: names of stored roles are safe, and those of two roles differ.
func FuzzRoleFile(f *testing.F) {
	for _, c := range [][2]string{{"A", "a"}, {"Targets", "targets"}, {"../x", "..%2Fx"}, {"con", "CON"}, {"%41", "A"}, {"", "%"}, {"a.", "a"}} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := roleFile(a), roleFile(b)
		if a != b && x == y {
			t.Errorf("%q and %q are both %q", a, b, x)
		}
		if strings.ContainsAny(x, "/\\:\x00") || len(x) > 255 || !topLevel(a) && topLevel(strings.ToLower(strings.TrimSuffix(x, ".json"))) {
			t.Errorf("%q is stored as %q", a, x)
		}
	})
}
