// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"strings"

	"github.com/waybill-project/waybill/conformance"
)

// turn is one new version of a role: who is listed, the threshold, who signs.
type turn struct {
	list      string
	threshold int
	sign      string
	expect    string
}

func named(names string) []*key {
	var out []*key
	for _, name := range strings.Fields(names) {
		out = append(out, edKey("rotation-"+name))
	}
	return out
}

func (m *maker) turn(role string, t turn) {
	entry, _ := m.role(role)
	entry["keyids"] = list{}
	for _, k := range named(t.list) {
		m.listKey(role, k)
	}
	m.threshold(role, t.threshold)
	m.keys[role] = named(t.sign)
}

const (
	ok        = conformance.OK
	signature = conformance.Signature
	threshold = conformance.Threshold
	either    = conformance.Signature + "|" + conformance.Threshold
)

// rotation has the scenarios of the public suite's test_updater_key_rotations.
func rotation() family {
	f := family{name: "rotation"}
	for _, c := range []struct {
		name  string
		turns []turn
	}{
		{"root_1_of_1", []turn{{"1", 1, "1", ok}, {"2", 1, "2 1", ok}}},
		{"root_1_of_1_unused_signatures", []turn{{"1", 1, "1", ok}, {"2", 1, "3 2 4 1", ok}}},
		{"root_3_of_5_different_combinations", []turn{{"1 2 3 4 5", 3, "2 4 1", ok}, {"1 2 3 4 5", 3, "2 4 1", ok}, {"1 2 3 4 5", 3, "3 5 4", ok}, {"1 2 3 4 5", 3, "5 1 2", ok}}},
		{"root_3_of_5_one_rotated", []turn{{"1 2 3 4 5", 3, "2 3 4", ok}, {"6 2 3 4 5", 3, "2 3 4", ok}}},
		{"root_3_of_5_one_rotated_with_step_between", []turn{{"1 2 3 4 5", 3, "1 3 4", ok}, {"6 2 3 4 5", 3, "1 3 4 6", ok}, {"6 2 3 4 5", 3, "3 4 6", ok}}},
		{"root_3_of_5_all_rotated_with_step_between", []turn{{"1 2 3 4 5", 3, "1 3 4", ok}, {"6 7 8 9 10", 3, "1 3 4 6 7 8", ok}, {"6 7 8 9 10", 3, "7 9 10", ok}}},
		{"root_threshold_raised_1_to_2", []turn{{"1 2 3", 1, "1", ok}, {"1 2 3", 2, "1 2", ok}}},
		{"root_threshold_lowered_2_to_1", []turn{{"1 2 3", 2, "1 2", ok}, {"1 2 3", 1, "1 2", ok}, {"1 2 3", 1, "1", ok}}},
		{"root_threshold_raised_1_to_2_of_2", []turn{{"1 2", 1, "1", ok}, {"1 2", 2, "1 2", ok}}},
		{"root_1_of_1_without_old_key", []turn{{"1", 1, "1", ok}, {"2", 1, "2 3 4", signature}}},
		{"root_1_of_1_without_new_key", []turn{{"1", 1, "1", ok}, {"2", 1, "1 3 4", either}}},
		{"root_3_of_5_without_3_new", []turn{{"1 2 3 4 5", 3, "1 3 4", ok}, {"6 2 3 4 5", 3, "1 3 4", threshold}}},
		{"root_3_of_5_without_3_old", []turn{{"1 2 3 4 5", 3, "1 3 4", ok}, {"6 2 3 4 5", 3, "3 4 6", threshold}}},
		{"root_threshold_raised_not_reached", []turn{{"1 2 3", 1, "1", ok}, {"1 2 3", 2, "2", threshold}}},
		{"root_threshold_lowered_old_not_reached", []turn{{"1 2 3", 2, "1 2", ok}, {"1 2 3", 1, "2", threshold}}},
		{"root_5_of_9_with_5", []turn{{"1 2 3 4 5 6 7 8 9", 5, "1 3 5 7 9", ok}, {"1 2 3 4 5 6 7 8 9", 5, "2 4 6 8 1", ok}}},
		{"root_5_of_9_with_4", []turn{{"1 2 3 4 5 6 7 8 9", 5, "1 3 5 7 9", ok}, {"1 2 3 4 5 6 7 8 9", 5, "2 4 6 8", threshold}}},
		{"root_revoked_key_comes_back", []turn{{"1", 1, "1", ok}, {"2", 1, "1 2", ok}, {"3", 1, "1 3", signature}}},
		{"root_all_keys_in_every_step", []turn{{"1", 1, "1", ok}, {"2", 1, "1 2", ok}, {"3", 1, "2 3", ok}, {"4", 1, "3 4", ok}}},
	} {
		f.recipes = append(f.recipes, recipe{c.name, shownBy(c.turns[len(c.turns)-1].expect, "a chain of roots"), "TUF 5.3.4; suite root_rotation", func(m *maker) {
			for i, t := range c.turns {
				m.turn("root", t)
				if i == 0 {
					m.store("root")
					m.from(m.files["metadata/1.root.json"])
					continue
				}
				m.publish("root")
				if t.expect == ok {
					m.ok()
					continue
				}
				m.stale(t.expect)
			}
		}})
	}
	for _, role := range []string{"timestamp", "snapshot", "targets"} {
		for _, c := range []struct {
			name string
			turn turn
		}{
			{"1_of_1", turn{"2", 1, "2", ok}},
			{"1_of_1_unused_signatures", turn{"2", 1, "3 2 4", ok}},
			{"1_of_1_without_new_key", turn{"2", 1, "1 3 4", signature}},
			{"3_of_5_wrong_key", turn{"1 2 3 4 5", 3, "1 3 6", either}},
			{"2_of_5_threshold_not_reached", turn{"1 2 3 4 5", 2, "4", threshold}},
			{"3_of_5_first_combination", turn{"1 2 3 4 5", 3, "2 4 1", ok}},
			{"3_of_5_second_combination", turn{"1 2 3 4 5", 3, "1 3 5", ok}},
			{"3_of_5_third_combination", turn{"1 2 3 4 5", 3, "3 5 4", ok}},
			{"3_of_5_fourth_combination", turn{"1 2 3 4 5", 3, "5 1 2", ok}},
			{"3_of_5_fifth_combination", turn{"1 2 3 4 5", 3, "4 3 2 1 5", ok}},
		} {
			f.recipes = append(f.recipes, recipe{role + "_" + c.name, shownBy(c.turn.expect, "a new "+role), "TUF 5.4.2, 5.5.3, 5.6.3; suite non_root_rotations", func(m *maker) {
				m.turn(role, turn{"1", 1, "1", ok})
				m.publish("root")
				m.release("targets")
				m.ok()
				m.turn(role, c.turn)
				m.publish("root")
				m.release("targets")
				if c.turn.expect == ok {
					m.ok()
					return
				}
				s := m.fails(c.turn.expect)
				s.Trusted = map[string]int64{"root": 3}
			}})
		}
	}
	f.recipes = append(f.recipes,
		recipe{"roots_hundred", "A hundred roots are followed in one run.", "TUF 5.3.3", func(m *maker) {
			for range 100 {
				m.publish("root")
			}
			m.ok()
		}},
		recipe{"keys_all_rotated_at_once", "All roles get new keys in one root.", "TUF 6.1", func(m *maker) {
			m.ok()
			for _, role := range topLevel {
				m.rotate(role, role+"-2")
			}
			m.publish("root")
			m.release("targets")
			m.ok()
		}},
		recipe{"keys_swapped_between_roles", "The key of one role does not sign for another.", "TUF 5.4.2", func(m *maker) {
			m.ok()
			m.keys["timestamp"], m.keys["snapshot"] = m.keys["snapshot"], m.keys["timestamp"]
			m.commit()
			m.stale(signature)
		}},
		recipe{"root_keys_do_not_sign_targets", "A root key is no targets key.", "TUF 5.6.3", func(m *maker) {
			m.keys["targets"] = m.keys["root"]
			m.release("targets")
			m.stops("targets", signature)
		}},
	)
	return f
}

func shownBy(expect, what string) string {
	if expect == ok {
		return "The keys of " + what + " suffice."
	}
	return "The keys of " + what + " do not suffice."
}
