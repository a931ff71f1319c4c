// SPDX-License-Identifier: Apache-2.0

package layout_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/repo/layout"
)

func TestCheckNameAllows(t *testing.T) {
	for _, name := range []string{
		"a", "app", "app/1.4.2/linux-amd64/app", "app/1.4.2/linux-amd64/app.exe", "app/1.4.2~build.5/any/app",
		"app/standing.json", "app/channels/stable/linux-amd64.json", "app/deltas/any/0123456789ab-ba9876543210.bsdiff4",
		"UPPER/Case", "a_b-c.d~e", ".hidden", "-dash", "~tilde", "_", "a..b", "..a", "...a", "a.b.c.d",
		"console", "contact.txt", "auxiliary", "nullable", "com", "com10", "comx", "lpt", "lpt10", "printer", "prn1", "xcon", "x.con",
		"a.nul", "con-1", "aux_", "0", "9/9", strings.Repeat("a", layout.MaxLast),
		strings.Repeat("d", layout.MaxPart) + "/f", deep(layout.MaxDepth), longest(layout.MaxName),
	} {
		if err := layout.CheckName(name); err != nil {
			t.Error(err)
		}
	}
}

func TestCheckNameRefuses(t *testing.T) {
	names := []string{
		"", "/", "//", "/a", "a/", "a//b", ".", "..", "./a", "a/.", "a/./b", "../a", "a/..", "a/../b", "../../etc/passwd", ".../",
		"a.", "a./b", "a/b.", "...", "....", "a..", "a ", " a", "a /b", "a b", "a/ /b", " ",
		`a\b`, `\a`, `..\a`, `a/..\b`, `\\host\share`, `c:\x`, "c:", "c:/x", "a:b", "a:$DATA", "file::$INDEX_ALLOCATION",
		"a\x00b", "\x00", "a\nb", "a\rb", "a\tb", "a\x1bb", "a\x7fb", "a\x80b", "a\xffb",
		"con", "CON", "Con", "prn", "aux", "nul", "NUL", "con.txt", "nul.tar.gz", "aux.c", "PRN.x.y", "con .txt", "con /a",
		"com0", "com1", "COM9", "com1.log", "lpt0", "lpt1", "LPT9.txt", "a/con/b", "a/b/nul", "com5/x",
		"com\u00b9", "COM\u00b2.txt", "com\u00b3", "lpt\u00b9", "LPT\u00b2", "lpt\u00b3.x", "conin$", "CONOUT$", "conout$.txt", "clock$",
		"a*b", "a?b", "a\"b", "a<b", "a>b", "a|b", "a#b", "a%b", "a%2fb", "%2e%2e/a", "%00", "a+b", "a@b", "a&b", "a=b", "a,b", "a;b",
		"a!b", "a'b", "a(b)", "a[b]", "a{b}", "a^b", "a`b", "a$b", "$x", "~/\x01",
		"http://host/x", "//host/x", "https:x", "file:///etc/passwd", "javascript:x",
		"\u00e9", "e\u0301", "\u00df", "\u2024\u2024/a", "a\u2215b", "a\uff0fb", "\uff0e\uff0e/a", "\u202egpj.exe", "a\u200bb", "\ufeffa", "\u212a",
		strings.Repeat("a", layout.MaxLast+1), "d/" + strings.Repeat("a", layout.MaxLast+1),
		strings.Repeat("d", layout.MaxPart+1) + "/f", deep(layout.MaxDepth + 1), longest(layout.MaxName + 1),
		strings.Repeat("../", 20) + "x", strings.Repeat("/", 2000),
	}
	if len(names) < 120 {
		t.Errorf("%d names, at least 120 are wanted", len(names))
	}
	for _, name := range names {
		if err := layout.CheckName(name); !errors.Is(err, layout.ErrName) {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

func deep(parts int) string { return strings.Repeat("d/", parts-1) + "f" }

func longest(bytes int) string {
	name := strings.Repeat(strings.Repeat("d", 199)+"/", 5)
	return name + strings.Repeat("f", bytes-len(name))
}

func TestCheckRole(t *testing.T) {
	for _, role := range []string{"channels", "deltas", "a", "0", "a-b", "releases", strings.Repeat("r", 32)} {
		if err := layout.CheckRole(role); err != nil {
			t.Error(err)
		}
	}
	for _, role := range []string{
		"", "root", "targets", "snapshot", "timestamp", "Root", "a/b", "../a", "a.b", "a b", "a_b", "a~b", "con", "com1",
		"\u00e9", "a\x00", strings.Repeat("r", 33),
	} {
		if err := layout.CheckRole(role); !errors.Is(err, layout.ErrName) {
			t.Errorf("%q: got %v", role, err)
		}
	}
}

func TestCheckObject(t *testing.T) {
	for _, object := range []string{"metadata/1.root.json", "targets/a%20b/ff.c", "targets/..a", "targets/a:b", "a"} {
		if err := layout.CheckObject(object); err != nil {
			t.Error(err)
		}
	}
	for _, object := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/%2e%2e/b", "a/%2E./b", "a/%2E", `a\b`, "a%5cb", "a%00b", "a\nb", "a%0ab",
		"a?b", "a#b", "a%zz", "a%", strings.Repeat("a", 5000),
	} {
		if err := layout.CheckObject(object); !errors.Is(err, layout.ErrName) {
			t.Errorf("%q: got %v", object, err)
		}
	}
}

func TestFold(t *testing.T) {
	if layout.Fold("App/README") != layout.Fold("app/readme") || layout.Fold("a") == layout.Fold("b") {
		t.Error("names that differ in case alone must fold to one, others must not")
	}
}
