// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"crypto/sha256"
	"fmt"

	"github.com/waybill-project/waybill/conformance"
)

// prefixes delegate by the hash of a name.
func prefixes() []recipe {
	hash := sum256([]byte("file"))
	var out []recipe
	for _, c := range []struct {
		name, shows, expect string
		prefixes            []string
	}{
		{"prefix_of_hash", "A role gets names by the beginning of their hash in hex.", ok, []string{hash[:2]}},
		{"prefix_of_whole_hash", "A prefix may be the whole hash.", ok, []string{hash}},
		{"prefix_of_one_digit", "A prefix may be a single digit.", ok, []string{hash[:1]}},
		{"prefix_second_of_list", "Any of the prefixes will do.", ok, []string{"0000", "ffff", hash[:4]}},
		{"prefix_of_other_hash", "A name whose hash begins otherwise does not belong to the role.", conformance.Absent, []string{"00", "ff"}},
		{"prefix_inside_hash", "A prefix stands at the beginning.", conformance.Absent, []string{hash[2:6]}},
		{"prefix_list_empty", "No prefix is no name.", conformance.Absent, []string{}},
		{"prefix_longer_than_hash", "A prefix longer than a hash fits none.", conformance.Absent, []string{hash + "00"}},
	} {
		out = append(out, recipe{c.name, c.shows, "TUF 4.5 (path_hash_prefixes); go-tuf v2.4.2", func(m *maker) {
			m.delegate("targets", "A", object{"path_hash_prefixes": texts(c.prefixes)})
			m.add("A", "file", []byte("by hash\n"))
			m.publishAll()
			if c.expect == ok {
				m.gets(map[string]string{"file": "by hash\n"})
				return
			}
			m.misses(c.expect, "file")
		}})
	}
	return append(out,
		recipe{"prefixes_and_paths", "A delegation has paths or prefixes, not both.", "TUF 4.5; go-tuf v2.4.2", func(m *maker) {
			m.ok()
			m.delegate("targets", "A", object{"paths": list{"*"}, "path_hash_prefixes": list{"00"}})
			m.store("A")
			m.release("targets")
			m.stops("targets", conformance.Malformed)
		}},
		recipe{"prefixes_and_paths_missing", "A delegation has paths or prefixes.", "TUF 4.5", func(m *maker) {
			m.ok()
			m.delegate("targets", "A", object{"paths": nil})
			m.store("A")
			m.release("targets")
			m.stops("targets", conformance.Malformed)
		}},
		recipe{"prefix_null", "A prefix that is null does not crash.", "TUF 4.5", func(m *maker) {
			m.ok()
			m.delegate("targets", "A", object{"path_hash_prefixes": list{nil}})
			m.store("A")
			m.release("targets")
			m.stops("targets", conformance.Malformed)
		}},
	)
}

// bins are succinct hashed bins.
func bins() []recipe {
	var out []recipe
	for _, bits := range []int{1, 4, 8, 9, 16, 32} {
		out = append(out, recipe{fmt.Sprintf("bins_of_%d_bits", bits), "A target is found in the bin of its hash.", "TAP 15", func(m *maker) {
			bin := m.bins("targets", bits)
			m.add(bin, "file", []byte("in a bin\n"))
			m.publishAll()
			m.ok()
			m.gets(map[string]string{"file": "in a bin\n"}).Asked = []string{"metadata/2.root.json", "metadata/timestamp.json", m.path(bin), m.target("file", sum256([]byte("in a bin\n")))}
		}})
	}
	for _, c := range []struct {
		name, shows string
		change      func(d object)
	}{
		{"bins_of_no_bits", "No bits are no bins.", func(d object) { d["succinct_roles"].(object)["bit_length"] = 0 }},
		{"bins_of_33_bits", "More than 32 bits are too many.", func(d object) { d["succinct_roles"].(object)["bit_length"] = 33 }},
		{"bins_of_negative_bits", "Fewer than no bits are refused.", func(d object) { d["succinct_roles"].(object)["bit_length"] = -1 }},
		{"bins_of_bits_as_text", "A number of bits as text is refused.", func(d object) { d["succinct_roles"].(object)["bit_length"] = "8" }},
		{"bins_null", "Bins that are null do not crash.", func(d object) { d["succinct_roles"] = nil }},
		{"bins_without_prefix", "Bins have a name.", func(d object) { delete(d["succinct_roles"].(object), "name_prefix") }},
		{"bins_beside_roles", "A delegation has roles or bins, not both.", func(d object) { d["roles"] = list{} }},
	} {
		out = append(out, recipe{c.name, c.shows, "TAP 15", func(m *maker) {
			m.ok()
			bin := m.bins("targets", 8)
			c.change(m.md["targets"]["delegations"].(object))
			m.keys[bin] = nil
			m.add(bin, "evil", []byte("evil\n"))
			m.publishAll()
			m.stops("targets", conformance.Malformed)
		}})
	}
	return append(out,
		recipe{"bin_of_other_hash", "What a bin lists that belongs into another is not found.", "TAP 15", func(m *maker) {
			bin := m.bins("targets", 8)
			m.add(bin, "other-file", []byte("misplaced\n"))
			m.md[binName("bin", 8, "other-file")] = fresh("targets", object{"targets": object{}})
			m.keys[binName("bin", 8, "other-file")] = m.keys[bin]
			m.publishAll()
			m.misses(conformance.Absent, "other-file")
		}},
		recipe{"bins_threshold_zero", "A threshold of zero does not switch signatures off.", "TAP 15; go-tuf CVE-2026-23992", func(m *maker) {
			bin := m.bins("targets", 8)
			m.md["targets"]["delegations"].(object)["succinct_roles"].(object)["threshold"] = 0
			m.keys[bin] = nil
			m.add(bin, "file", []byte("evil\n"))
			m.publishAll()
			m.misses("malformed|signature|threshold", "file")
		}},
		recipe{"bin_unsigned", "A bin without signatures is refused.", "TAP 15", func(m *maker) {
			bin := m.bins("targets", 8)
			m.add(bin, "file", []byte("evil\n"))
			m.keys[bin] = nil
			m.publishAll()
			m.misses("signature|threshold", "file")
		}},
		recipe{"bin_absent", "A bin that snapshot does not list is a failure.", "TAP 15", func(m *maker) {
			bin := m.bins("targets", 8)
			delete(m.md, bin)
			m.release("targets")
			m.misses("malformed|absent|network", "file")
		}},
		recipe{"bins_below_a_role", "Bins may hang under a delegated role.", "TAP 15", func(m *maker) {
			m.graph(arc{"targets", "A", false, nil})
			bin := m.bins("A", 8)
			m.add(bin, "file", []byte("in a bin\n"))
			m.publishAll()
			m.gets(map[string]string{"file": "in a bin\n"})
		}},
	)
}

// bins delegates to bins and makes the one that "file" belongs to.
func (m *maker) bins(parent string, bits int) string {
	k := edKey("bins")
	m.md[parent]["delegations"] = object{
		"keys":           object{k.id: k.record},
		"succinct_roles": object{"keyids": list{k.id}, "threshold": 1, "bit_length": bits, "name_prefix": "bin"},
	}
	bin := binName("bin", bits, "file")
	m.md[bin] = fresh("targets", object{"targets": object{}})
	m.keys[bin] = []*key{k}
	return bin
}

func binName(prefix string, bits int, target string) string {
	hash := sha256.Sum256([]byte(target))
	number := (uint64(hash[0])<<24 | uint64(hash[1])<<16 | uint64(hash[2])<<8 | uint64(hash[3])) >> (32 - bits)
	return fmt.Sprintf("%s-%0*x", prefix, (bits+3)/4, number)
}
