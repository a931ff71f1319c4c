// SPDX-License-Identifier: Apache-2.0

//go:build unix

package crashtest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/internal/crashfs"
	"github.com/waybill-project/waybill/internal/durable"
)

// TestMutationFigures forgets every single sync of some scenarios and exchanges every two steps that follow each
// other. Every file of the trust store needs its sync. Of the rest what is not found is listed: most of it does no
// harm, such as a folder that the next step syncs again.
func TestMutationFigures(t *testing.T) {
	if !*crashMore {
		t.Skip("only with -crash.more")
	}
	for _, s := range append(trustStores(t), installations(t)[1]) {
		t.Run(s.name, func(t *testing.T) {
			ops := mustRecord(t, s, asIs).rec.Ops()
			found, all := 0, 0
			for i, op := range ops {
				for what, change := range mutations(ops, i) {
					all++
					if s.finds(t, change) {
						found++
						continue
					}
					t.Logf("not found: %s", what)
					if op.Kind == crashfs.Sync && strings.HasPrefix(what, "forget") && strings.HasPrefix(s.name, "trust/") {
						t.Errorf("%s does no harm", what)
					}
				}
			}
			t.Logf("%d of %d found", found, all)
		})
	}
}

// mutations are those that begin with operation i.
func mutations(ops []crashfs.Op, i int) map[string]edit {
	out := map[string]edit{}
	if ops[i].Kind == crashfs.Sync || ops[i].Kind == crashfs.SyncDir {
		out["forget "+describe(ops[i])] = func([]crashfs.Op) []int { return slices.Delete(count(len(ops)), i, i+1) }
	}
	if i+1 < len(ops) {
		out["exchange "+describe(ops[i])+" and "+describe(ops[i+1])] = func([]crashfs.Op) []int {
			order := count(len(ops))
			order[i], order[i+1] = i+1, i
			return order
		}
	}
	return out
}

func (s *scenario) finds(t *testing.T, change edit) bool {
	w := s.with(t, bug{ops: change})
	w.stop = true
	w.all()
	return len(w.bad) > 0
}

// describe names an operation without what differs from run to run.
func describe(op crashfs.Op) string {
	name := func(path string) string {
		base := filepath.Base(path)
		if durable.IsTemp(base) {
			base = base[:len(base)-20]
		}
		if len(base) > 40 {
			base = base[:8] + ".." + filepath.Ext(base)
		}
		return filepath.Base(filepath.Dir(path)) + "/" + base
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s", op.Kind, name(op.Path)))
}
