// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
)

// signing are roles signed by nobody, by strangers, by too few or in odd ways.
func signing() family {
	f := family{name: "signatures"}
	for _, role := range append(topLevel, "delegated") {
		for _, c := range []struct{ name, shows, expect string }{
			{"unsigned", "without signatures", "signature|malformed"},
			{"signed_by_stranger", "signed by a key that nobody listed", signature},
			{"signed_by_stranger_in_name", "signed by a stranger under the id of a listed key", signature},
			{"signed_over_other_content", "with the signature of an earlier version", signature},
		} {
			f.recipes = append(f.recipes,
				recipe{role + "_" + c.name, "A new " + role + " " + c.shows + " is refused.", "TUF 5.3.4, 5.4.2, 5.5.3, 5.6.3; suite unsigned_metadata", func(m *maker) {
					badly(m, role, c.name, c.expect, true)
				}})
			if role != "root" && c.name == "unsigned" {
				f.recipes = append(f.recipes,
					recipe{role + "_" + c.name + "_at_first", "The first " + role + " that a client sees, " + c.shows + ", is refused.", "TUF 5.4.2, 5.5.3, 5.6.3", func(m *maker) {
						badly(m, role, c.name, c.expect, false)
					}})
			}
		}
	}
	f.recipes = append(f.recipes, oddSignatures()...)
	f.recipes = append(f.recipes, thresholds()...)
	return f
}

func badly(m *maker, role, how, expect string, warm bool) {
	m.hashes = false
	if role == "delegated" {
		m.delegate("targets", role, nil)
		m.add(role, "file", []byte("delegated\n"))
		m.store(role)
	}
	m.release("targets")
	switch {
	case warm && role == "delegated":
		m.gets(map[string]string{"file": "delegated\n"})
		delete(m.targets(role), "file")
		m.add(role, "evil", []byte("evil\n"))
	case warm:
		m.ok()
	}
	good := m.keys[role]
	switch how {
	case "unsigned":
		m.keys[role] = nil
	case "signed_by_stranger":
		m.keys[role] = []*key{edKey("stranger")}
	case "signed_by_stranger_in_name":
		m.keys[role] = []*key{edKey("stranger").as(good[0].id)}
	case "signed_over_other_content":
		stale := good[0].sign(canonical(marshal(m.md[role])))
		m.keys[role] = []*key{{id: good[0].id, sign: func([]byte) string { return stale }}}
	}
	m.publish("root")
	if role == "delegated" {
		m.publish(role)
	}
	m.release("targets")
	if role == "delegated" {
		m.misses(expect, "evil")
		return
	}
	if role == "root" {
		m.stale(expect)
		return
	}
	m.stops(role, expect)
}

// odd is the form in which one good signature of the timestamp is written.
func (m *maker) odd(change func(sig string) string) {
	k := m.keys["timestamp"][0]
	m.keys["timestamp"] = []*key{{id: k.id, record: k.record, sign: func(b []byte) string { return change(k.sign(b)) }}}
	m.stamp()
}

func oddSignatures() []recipe {
	var out []recipe
	for _, c := range []struct {
		name, shows, expect string
		change              func(sig string) string
	}{
		{"signature_empty", "An empty signature is none.", "signature|malformed", func(string) string { return "" }},
		{"signature_zero", "A signature of zeros is none.", "signature", func(string) string { return strings.Repeat("00", 64) }},
		{"signature_short", "A signature that lacks a byte is none.", "signature|malformed", func(s string) string { return s[:126] }},
		{"signature_long", "A signature with a byte too many is none.", "signature|malformed", func(s string) string { return s + "00" }},
		{"signature_odd_hex", "Half a byte is no hex.", "signature|malformed", func(s string) string { return s[:127] }},
		{"signature_not_hex", "Text that is not hex is no signature.", "signature|malformed", func(string) string { return strings.Repeat("zz", 64) }},
		{"signature_base64", "A signature in base 64 is not the form of TUF.", "signature|malformed", func(s string) string {
			b, _ := hex.DecodeString(s)
			return base64.StdEncoding.EncodeToString(b)
		}},
		{"signature_prefixed", "0x is no part of hex.", "signature|malformed", func(s string) string { return "0x" + s }},
		{"signature_malleated", "An Ed25519 signature with a value over the group order is refused.", "signature", malleate},
		{"signature_bit_flipped", "A single changed bit spoils a signature.", "signature", func(s string) string {
			return map[bool]string{true: "1", false: "0"}[s[0] == '0'] + s[1:]
		}},
		{"signature_upper_case", "Hex in capitals is the same signature.", ok, strings.ToUpper},
	} {
		out = append(out, recipe{c.name, c.shows, "TUF 4.2.1, 5.4.2; RFC 8032", func(m *maker) {
			m.ok()
			m.odd(c.change)
			if c.expect == ok {
				m.ok()
				return
			}
			m.stale(c.expect)
		}})
	}
	return append(out,
		recipe{"signature_over_bytes_as_served", "What is signed is the canonical form, not the bytes of the file.", "TUF 4.2.1", func(m *maker) {
			m.ok()
			m.md["timestamp"]["version"] = int64(2)
			raw := indent(marshal(m.md["timestamp"]))
			k := m.keys["timestamp"][0]
			m.files["metadata/timestamp.json"] = envelope(raw, list{object{"keyid": k.id, "sig": k.sign(raw)}})
			m.stale(signature)
		}},
		recipe{"signature_over_envelope", "A signature of signed and its name together is none.", "TUF 4.2.1", func(m *maker) {
			m.ok()
			m.md["timestamp"]["version"] = int64(2)
			raw := marshal(m.md["timestamp"])
			k := m.keys["timestamp"][0]
			whole := append(append([]byte(`{"signed":`), canonical(raw)...), '}')
			m.files["metadata/timestamp.json"] = envelope(raw, list{object{"keyid": k.id, "sig": k.sign(whole)}})
			m.stale(signature)
		}},
		recipe{"signature_spoiled_beside_good", "Wrong and empty signatures beside enough good ones do no harm.", "suite invalid_sig_in_valid_metadata", func(m *maker) {
			m.ok()
			for i, sig := range []string{"", strings.Repeat("00", 64), strings.Repeat("ab", 64)} {
				k := edKey(fmt.Sprint("beside-", i))
				m.addKey("timestamp", &key{id: k.id, record: k.record, sign: func([]byte) string { return sig }})
			}
			m.publish("root")
			m.stamp()
			m.ok()
		}},
		recipe{"signatures_foreign_beside_good", "Forty signatures of strangers do no harm.", "TUF 5.4.2", func(m *maker) {
			for i := range 40 {
				m.keys["timestamp"] = append(m.keys["timestamp"], edKey(fmt.Sprint("foreign-", i)))
			}
			m.keys["targets"] = m.keys["timestamp"][1:20:20]
			m.keys["targets"] = append(m.keys["targets"], edKey("targets"))
			m.keys["timestamp"] = m.keys["timestamp"][:15]
			m.release("targets")
			m.ok()
		}},
		recipe{"signatures_ten_thousand", "Ten thousand bogus signatures are not worth the time.", "python-tuf CVE-2020-6173", func(m *maker) {
			m.beyond()
			m.hashes = false
			m.release("targets")
			sigs := list{}
			for i := range 10_000 {
				sigs = append(sigs, object{"keyid": fmt.Sprint(i), "sig": strings.Repeat("00", 8)})
			}
			m.files[m.path("targets")] = marshal(object{"signed": m.md["targets"], "signatures": sigs})
			m.stops("targets", "malformed|too-large|signature")
		}},
		recipe{"signature_id_doubled", "One key id twice among the signatures is refused, even if the threshold is met.", "TUF 4.2.1; suite duplicate_sig_keyids", func(m *maker) {
			m.ok()
			m.keys["timestamp"] = append(m.keys["timestamp"], m.keys["timestamp"][0])
			m.stamp()
			m.stale("malformed|signature|threshold")
		}},
		recipe{"signature_repeated_for_threshold", "One signature twice does not fill a threshold of two.", "python-tuf CVE-2020-6174; tough CVE-2020-15093", func(m *maker) {
			m.listKey("timestamp", edKey("timestamp-2"))
			m.threshold("timestamp", 2)
			m.publish("root")
			m.keys["timestamp"] = append(m.keys["timestamp"], m.keys["timestamp"][0])
			m.stamp()
			m.fails("threshold|malformed|signature").Trusted = map[string]int64{"root": 2}
		}},
	)
}

// malleate adds the order of the group to the second half of an Ed25519 signature.
func malleate(s string) string {
	sig, _ := hex.DecodeString(s)
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	half := make([]byte, 32)
	for i, b := range sig[32:] {
		half[31-i] = b
	}
	sum := new(big.Int).Add(new(big.Int).SetBytes(half), order).FillBytes(make([]byte, 32))
	for i, b := range sum {
		sig[63-i] = b
	}
	return hex.EncodeToString(sig)
}

func thresholds() []recipe {
	var out []recipe
	for _, role := range append(topLevel, "delegated") {
		out = append(out, recipe{role + "_below_threshold", "A " + role + " with two of three needed signatures is refused.",
			"TUF 5.3.4, 5.4.2, 5.5.3, 5.6.3; suite snapshot_does_not_meet_threshold", func(m *maker) {
				if role == "delegated" {
					m.delegate("targets", role, nil)
					m.add(role, "file", []byte("delegated\n"))
				} else {
					m.ok()
				}
				m.addKey(role, edKey("second"))
				m.listKey(role, edKey("third"))
				m.threshold(role, 3)
				if role == "delegated" {
					m.store(role)
				}
				m.publish("root")
				m.release("targets")
				switch role {
				case "root":
					m.stale(threshold)
				case "delegated":
					m.misses(threshold, "file")
				default:
					s := m.fails(threshold)
					s.Trusted = map[string]int64{"root": 2}
				}
			}})
	}
	out = append(out, recipe{"snapshot_threshold_over_keys", "A role whose threshold no number of its keys can reach is never taken; its root is.",
		"suite snapshot_has_too_few_keys", func(m *maker) {
			for i := range 4 {
				m.addKey("snapshot", edKey(fmt.Sprint("more-", i)))
			}
			m.threshold("snapshot", 6)
			m.publish("root")
			m.commit()
			m.fails(threshold).Trusted = map[string]int64{"root": 2, "timestamp": 2}
		}})
	for name, value := range map[string]string{
		"zero": "0", "negative": "-1", "fraction": "1.5", "text": `"1"`, "null": "null", "list": "[1]", "boolean": "true", "huge": "99999999999999999999",
	} {
		for _, role := range []string{"timestamp", "targets", "root", "delegated"} {
			if role == "root" && name != "zero" && name != "negative" {
				continue
			}
			out = append(out, recipe{role + "_threshold_" + name, "A threshold of " + value + " for " + role + " does not switch signatures off.",
				"TUF 4.3; go-tuf CVE-2026-23992", func(m *maker) { noThreshold(m, role, value) }})
		}
	}
	return sorted(out)
}

func noThreshold(m *maker, role, value string) {
	if role == "delegated" {
		m.delegate("targets", role, nil)
		m.threshold(role, rawJSON(value))
		m.add(role, "evil", []byte("evil\n"))
		m.keys[role] = nil
		m.store(role)
		m.release("targets")
		m.misses("malformed|signature|threshold", "evil")
		return
	}
	m.ok()
	m.threshold(role, rawJSON(value))
	m.publish("root")
	if role != "root" {
		m.keys[role] = nil
	}
	m.release("targets")
	m.fails("malformed|signature|threshold")
}
