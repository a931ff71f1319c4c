// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

const (
	costVar   = "FETCHER_TEST_COST"
	maxBefore = 24 << 10               // KiB resident until the first valid signature
	maxCPU    = 100 * time.Millisecond // of CPU on any reply within limits
	slack     = 4                      // on a machine that others use too
)

// hostileReplies are what a server without any key can answer a client of the
// repository s. Each is within the limits of size, or is cut off there.
func hostileReplies(t *testing.T, s *sim) map[string]http.HandlerFunc {
	replies := map[string]http.HandlerFunc{}
	next, limit := layout.Root(2), int(layout.MaxRoot)
	for name, body := range hostileBodies(t, s, limit) {
		replies["root/"+name] = replyTo(next, body)
	}
	for name, body := range hostileBodies(t, s, int(layout.MaxTimestamp)) {
		replies["timestamp/"+name] = replyTo(layout.Timestamp, body)
	}
	for name, h := range hostileAnswers {
		replies["http/"+name] = h
	}
	return replies
}

func replyTo(object string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/"+object {
			_, _ = w.Write(body)
			return
		}
		http.NotFound(w, r)
	}
}

// fill repeats a part until the whole has the given length at most.
func fill(limit int, before, part, after string) []byte {
	n := (limit - len(before) - len(after)) / len(part)
	return []byte(before + strings.Repeat(part, max(n, 0)) + after)
}

func hostileBodies(t *testing.T, s *sim, limit int) map[string][]byte {
	bodies := map[string][]byte{
		"deep arrays":     bytes.Repeat([]byte("["), limit),
		"deep objects":    fill(limit, "", `{"a":`, ""),
		"wide array":      fill(limit, "[0", ",0", "]"),
		"wide empty":      fill(limit, "[[]", ",[]", "]"),
		"one long string": fill(limit, `"`, "a", `"`),
		"escapes":         fill(limit, `"`, `\u0041`, `"`),
		"escaped quotes":  fill(limit, `{"signatures":[],"signed":"`, `\"`, `"}`),
		"long number":     fill(limit, "", "7", ""),
		"not UTF-8":       bytes.Repeat([]byte{0xff}, limit),
		"white space":     bytes.Repeat([]byte(" "), limit),
		"doubled names":   fill(limit, `{"a":1`, `,"a":1`, "}"),
		"binary":          bytes.Repeat([]byte{0}, limit),
	}
	bodies["names out of order"] = shuffledNames(limit)
	for _, role := range []string{"root", "timestamp"} {
		genuine := s.objects[layout.Root(1)]
		if role == "timestamp" {
			genuine = s.objects[layout.Timestamp]
		}
		bodies["many signatures of "+role] = manySignatures(genuine, limit, s.keys[role])
		bodies["padded "+role] = fill(limit, `{"x":[0`, ",0", `],`+string(genuine[1:]))
	}
	bodies["many keys"] = manyKeys(t, limit)
	return bodies
}

// shuffledNames is an object whose names must be sorted.
func shuffledNames(limit int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"signatures":[],"signed":{"a":0`)
	for i := 999_999; b.Len() < limit-20; i-- {
		fmt.Fprintf(&b, `,"%06d":0`, i*7919%1_000_000)
	}
	b.WriteString("}}")
	return b.Bytes()
}

// manySignatures puts as many false signatures as fit, or are allowed, under the true keys' ids first.
func manySignatures(genuine []byte, limit int, keys []*simKey) []byte {
	signed, _, _ := bytes.Cut(genuine, []byte(`,"signatures"`))
	if !bytes.HasPrefix(signed, []byte(`{"signed"`)) {
		signed = append([]byte("{"), genuine[bytes.Index(genuine, []byte(`"signed"`)):len(genuine)-1]...)
	}
	var b bytes.Buffer
	b.Write(signed)
	b.WriteString(`,"signatures":[`)
	for i := 0; i < maxSignatures; i++ {
		id := fmt.Sprintf("id%d", i)
		if i < len(keys) {
			id = keys[i].id
		}
		s := fmt.Sprintf(`{"keyid":%q,"sig":"%s"},`, id, hex.EncodeToString(make([]byte, 512)))
		if b.Len()+len(s) > limit-8 {
			break
		}
		b.WriteString(s)
	}
	return append(bytes.TrimSuffix(b.Bytes(), []byte(",")), "]}"...)
}

// manyKeys is a root that lists as many of the dearest keys as fit and are allowed.
func manyKeys(t *testing.T, limit int) []byte {
	k := ecKey(t, elliptic.P384(), "ecdsa-sha2-nistp384")
	public := fmt.Sprintf("%q", k.record["keyval"].(map[string]any)["public"])
	var keys, ids strings.Builder
	for i := range maxRoleKeys {
		record := fmt.Sprintf(`"k%d":{"keytype":"ecdsa","scheme":"ecdsa-sha2-nistp384","keyval":{"public":%s}},`, i, public)
		if keys.Len()+len(record) > limit-1200 {
			break
		}
		keys.WriteString(record)
		fmt.Fprintf(&ids, `"k%d",`, i)
	}
	role := fmt.Sprintf(`{"threshold":1,"keyids":[%s]}`, strings.TrimSuffix(ids.String(), ","))
	return fmt.Appendf(nil, `{"signatures":[],"signed":{"_type":"root","spec_version":"1.0.34","version":2,"expires":"2030-01-01T00:00:00Z",`+
		`"consistent_snapshot":true,"keys":{%s},"roles":{"root":%s,"targets":%s,"snapshot":%s,"timestamp":%s}}}`,
		strings.TrimSuffix(keys.String(), ","), role, role, role, role)
}

var hostileAnswers = map[string]http.HandlerFunc{
	"endless": func(w http.ResponseWriter, _ *http.Request) {
		for part := bytes.Repeat([]byte("{"), 32<<10); ; {
			if _, err := w.Write(part); err != nil {
				return
			}
		}
	},
	"declared huge": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1099511627776")
		_, _ = w.Write(make([]byte, 1<<20))
	},
	"one header of 1 MiB": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
	},
	"10,000 headers": func(w http.ResponseWriter, _ *http.Request) {
		for i := range 10_000 {
			w.Header().Set(fmt.Sprintf("X-%d", i), "x")
		}
	},
	"1,500 cookies": func(w http.ResponseWriter, _ *http.Request) {
		for i := range 1500 {
			http.SetCookie(w, &http.Cookie{Name: fmt.Sprintf("c%d", i), Value: "xxxxxxxx"})
		}
		w.WriteHeader(http.StatusNotFound)
	},
	"flood of 1xx": func(w http.ResponseWriter, _ *http.Request) {
		for range 10_000 {
			w.WriteHeader(http.StatusProcessing)
		}
	},
	"compressed": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(make([]byte, 60<<10))
	},
	"redirects without end": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
	},
}

// Whatever a server without keys says, within the limits or over them, costs
// little until a signature has been seen that is valid. Each reply meets a
// client in a process of its own, as the kernel measures it.
func TestHostileReplyCost(t *testing.T) {
	s := newSim(t)
	if os.Getenv(costVar) != "" {
		costInChild(t)
		return
	}
	var worstPeak int64
	var worstCPU time.Duration
	var dearest, largest string
	replies := hostileReplies(t, s)
	for name, h := range replies {
		peak, cpu := costOf(t, name, h, s.objects[layout.Root(1)])
		if peak > worstPeak {
			worstPeak, largest = peak, name
		}
		if cpu > worstCPU {
			worstCPU, dearest = cpu, name
		}
		if !raceDetector && (peak > maxBefore || cpu > slack*maxCPU) {
			t.Errorf("%s: %d KiB resident, %v of CPU", name, peak, cpu)
		}
	}
	t.Logf("figure D7: %.1f MiB resident at most until the first valid signature, over %d hostile replies (%s); bound 24",
		float64(worstPeak)/1024, len(replies), largest)
	t.Logf("figure D8: %.1f ms of CPU at most on a hostile reply, over %d of them (%s); bound 100, asserted with a factor of %d",
		float64(worstCPU.Microseconds())/1000, len(replies), dearest, slack)
}

func costOf(t *testing.T, name string, h http.HandlerFunc, root []byte) (peak int64, cpu time.Duration) {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	trusted := filepath.Join(t.TempDir(), "root.json")
	if err := os.WriteFile(trusted, root, 0o600); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestHostileReplyCost$", "-test.v")
	child.Env = append(os.Environ(), costVar+"="+server.URL+" "+trusted, "TMPDIR="+t.TempDir())
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	_, rest, _ := strings.Cut(string(out), "cost=")
	if _, err := fmt.Sscanf(rest, "%d %d", &peak, &cpu); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return peak, cpu
}

func costInChild(t *testing.T) {
	base, trusted, _ := strings.Cut(os.Getenv(costVar), " ")
	root, err := os.ReadFile(trusted)
	if err != nil {
		t.Fatal(err)
	}
	source, err := NewHTTPSource(base, &HTTPOptions{sleep: func(context.Context, time.Duration) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(root, filepath.Join(t.TempDir(), "state"), source, &Options{Now: func() time.Time { return epoch }})
	if err != nil {
		t.Fatal(err)
	}
	before := cpuTime(t)
	if err := c.Refresh(context.Background()); err == nil {
		t.Fatal("accepted")
	}
	cpu := cpuTime(t) - before
	fmt.Printf("cost=%d %d\n", peakKiB(t), cpu)
}

// Metadata whose hash nobody signed is as much as a mirror wants. It may cost
// 100 ms of CPU too; by then there was a valid signature, so it may cost more memory.
func TestUnvouchedMetadataCost(t *testing.T) {
	s := newSim(t)
	s.hashes = false
	s.release("targets")
	refused := s.endpoint()
	s.put(layout.Versioned("snapshot", s.version("snapshot")), make([]byte, maxUnvouched+1))
	refused.fails(ErrTooLarge)
	var worst time.Duration
	dearest := ""
	bodies := hostileBodies(t, s, maxUnvouched)
	for name, body := range bodies {
		s.put(layout.Versioned("snapshot", s.version("snapshot")), body)
		e := s.endpoint()
		before := cpuTime(t)
		if err := e.refresh(); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if took := cpuTime(t) - before; took > worst {
			worst, dearest = took, name
		}
	}
	if !raceDetector && worst > slack*maxCPU {
		t.Errorf("%s: %v of CPU", dearest, worst)
	}
	t.Logf("figure D8: %.0f ms of CPU at most on 1 MiB of metadata whose hash is not signed, over %d of them (%s)",
		float64(worst.Microseconds())/1000, len(bodies), dearest)
}

func cpuTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakKiB is the largest resident set of this process so far.
func peakKiB(t *testing.T) (kib int64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscanf(rest, "%d", &kib); err != nil {
		t.Fatal(err)
	}
	return kib
}
