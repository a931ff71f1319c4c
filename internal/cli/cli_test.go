// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestFail(t *testing.T) {
	signature := errors.New("bad signature")
	for _, c := range []struct {
		name         string
		err          error
		code         int
		text, asJSON string
	}{
		{"nothing", nil, 0, "", ""},
		{"plain", signature, 1, "fetch: error: bad signature\n",
			`{"error":{"code":1,"class":"failure","message":"bad signature"}}`},
		{"typed", &Error{Code: Verification, Err: signature}, 4, "fetch: error: bad signature\n",
			`{"error":{"code":4,"class":"verification","message":"bad signature"}}`},
		{"with a hint", &Error{Code: Local, Err: signature, Hint: "free space"}, 9, "fetch: error: bad signature\nfetch: hint: free space\n",
			`{"error":{"code":9,"class":"local","message":"bad signature","hint":"free space"}}`},
		{"wrapped", fmt.Errorf("root 3: %w", &Error{Code: Expired, Err: signature, Hint: "ask"}), 5,
			"fetch: error: root 3: bad signature\nfetch: hint: ask\n",
			`{"error":{"code":5,"class":"expired","message":"root 3: bad signature","hint":"ask"}}`},
		{"outer code, inner hint", &Error{Code: Refused, Err: &Error{Code: Expired, Err: signature, Hint: "inner"}}, 12,
			"fetch: error: bad signature\nfetch: hint: inner\n",
			`{"error":{"code":12,"class":"refused","message":"bad signature","hint":"inner"}}`},
		{"outer hint", &Error{Code: Refused, Hint: "outer", Err: &Error{Code: Expired, Err: signature, Hint: "inner"}}, 12,
			"fetch: error: bad signature\nfetch: hint: outer\n",
			`{"error":{"code":12,"class":"refused","message":"bad signature","hint":"outer"}}`},
		{"interrupted", fmt.Errorf("download: %w", context.Canceled), 130, "fetch: error: download: context canceled\n",
			`{"error":{"code":130,"class":"interrupted","message":"download: context canceled"}}`},
		{"silent", &Error{Code: Available}, 10, "", ""},
		{"hostile text", errors.New("a\x1b[2Jb\nfetch: hint: c\r\u202e"), 1, "fetch: error: a\\u001b[2Jb\n  fetch: hint: c\\u000d\\u202e\n", ""},
	} {
		var out, errs bytes.Buffer
		if code := Fail("fetch", c.err, false, &out, &errs); code != c.code || errs.String() != c.text || out.Len() != 0 {
			t.Errorf("%s: got %d, %q on stderr, %q on stdout", c.name, code, errs.String(), out.String())
		}
		out.Reset()
		errs.Reset()
		code := Fail("fetch", c.err, true, &out, &errs)
		got := strings.Join(strings.Fields(out.String()), "")
		if want := strings.ReplaceAll(c.asJSON, " ", ""); c.name != "hostile text" && got != want || code != c.code || errs.Len() != 0 {
			t.Errorf("%s: got %d, %s on stdout, %q on stderr", c.name, code, got, errs.String())
		}
	}
}

func TestExitCodesAreStable(t *testing.T) {
	const want = "0ok 1failure 2usage 3network 4verification 5expired 6unsigned 7key 8conflict 9local 10available 11nothing " +
		"12refused 13differs 14rolled-back 15no-such 130interrupted "
	got := ""
	for _, line := range ExitCodes() {
		got += fmt.Sprintf("%d%s ", line.Code, line.Class)
		if line.Meaning == "" || Class(line.Code) != line.Class {
			t.Errorf("%d is not explained", line.Code)
		}
	}
	if got != want {
		t.Errorf("got %s", got)
	}
	if Class(99) != "failure" {
		t.Errorf("an unknown code is %q", Class(99))
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1: "1 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 9_800_000: "9.3 MiB",
		1<<20 - 1: "1.0 MiB", 1 << 30: "1.0 GiB", 1<<63 - 1: "8.0 EiB", -1: "-1 B", -2048: "-2.0 KiB", -1 << 63: "-8.0 EiB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

func TestConfirmWithoutATerminal(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	var out bytes.Buffer
	yes, err := Confirm(null, &out, "Trust this root?", "--yes")
	var failure *Error
	if yes || !errors.As(err, &failure) || failure.Code != Usage || !strings.Contains(failure.Hint, "--yes") || out.Len() != 0 {
		t.Errorf("got %v, %v, %q", yes, err, out.String())
	}
	if IsTerminal(null) || IsTerminal(&out) || IsTerminal(nil) {
		t.Error("none of these is a terminal")
	}
}

func TestAsk(t *testing.T) {
	for answer, want := range map[string]bool{
		"y\n": true, "Y\n": true, "yes\r\n": true, " YES ": true,
		"n\n": false, "\n": false, "": false, "yep\n": false, "no\n": false, strings.Repeat("y", 1000): false,
	} {
		var out bytes.Buffer
		got, err := ask(strings.NewReader(answer), &out, "Sure?")
		if got != want || err != nil || out.String() != "Sure? [y/N] " {
			t.Errorf("%.10q: got %v, %v, %q", answer, got, err, out.String())
		}
	}
}

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1_000_000, 0)
	p := &Progress{out: &out, columns: func() int { return 61 }, now: func() time.Time { return now }, label: "app", total: 2048}
	p.Add(512)
	p.Add(512)
	now = now.Add(drawEvery)
	p.Set(1024)
	p.Set(2048)
	p.Finish()
	lines := strings.Split(out.String(), "\r")[1:]
	want := []string{"25%  512 B of 2.0 KiB", "50%  1.0 KiB of 2.0 KiB", "100%  2.0 KiB of 2.0 KiB", "\x1b[K"}
	if len(lines) != len(want) {
		t.Fatalf("got %q", lines)
	}
	for i, line := range lines {
		if !strings.Contains(line, want[i]) || len(strings.TrimSuffix(line, "\x1b[K")) > 60 {
			t.Errorf("line %d is %q", i, line)
		}
	}
}

func TestProgressOfUnknownLength(t *testing.T) {
	var out bytes.Buffer
	p := &Progress{out: &out, columns: func() int { return 10 }, now: time.Now, label: strings.Repeat("long", 50)}
	p.Restart("roots", 0)
	p.Set(1 << 20)
	p.Restart(strings.Repeat("\x1b", 50), 10)
	for _, line := range strings.Split(out.String(), "\r")[1:] {
		if len(strings.TrimSuffix(line, "\x1b[K")) > minColumns {
			t.Errorf("%q is too long", line)
		}
	}
	if !strings.Contains(out.String(), "roots  0 B") {
		t.Errorf("got %q", out.String())
	}
}

func TestProgressWithoutATerminal(t *testing.T) {
	var out bytes.Buffer
	p := NewProgress(&out, "app", 10)
	p.Add(5)
	p.Set(10)
	p.Restart("x", 1)
	p.Finish()
	if out.Len() != 0 {
		t.Errorf("got %q", out.String())
	}
}
