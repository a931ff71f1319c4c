// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"crypto"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/waybill-project/waybill/conformance"
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
			m.stops("timestamp", "threshold|malformed|signature")
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
			m.stops("snapshot", threshold)
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

// keyRecords are odd keys, and odd lists of keys.
func keyRecords() family {
	f := family{name: "keys"}
	for _, c := range []struct {
		name, shows, expect string
		key                 func() *key
	}{
		{"key_ed25519", "An Ed25519 key signs.", ok, func() *key { return edKey("second") }},
		{"key_p256", "An ECDSA key on P-256 signs.", ok, func() *key { return p256Key("second") }},
		{"key_p256_old_type", "The old name of an ECDSA key, ecdsa-sha2-nistp256, is known.", ok, func() *key {
			k := p256Key("second")
			return k.with("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", k.public())
		}},
		{"key_p384", "An ECDSA key on P-384 signs.", conformance.Any, func() *key { return p384Key("second") }},
		{"key_rsa", "An RSA key with PSS signs.", ok, func() *key { return rsaKey(rsa2048, 32) }},
		{"key_rsa_long_salt", "The salt of PSS may be as long as it fits.", conformance.Any, func() *key { return rsaKey(rsa2048, 222) }},
		{"key_rsa_no_salt", "The salt of PSS may be empty.", conformance.Any, func() *key { return rsaKey(rsa2048, 0) }},
		{"key_rsa_1024", "An RSA key of 1,024 bits is too short to count.", threshold, func() *key { return rsaKey(rsa1024, 32) }},
		{"key_rsa_pkcs1_signature", "A signature of PKCS #1 v1.5 is not one of PSS.", signature, func() *key { return rsaKey(rsa2048, 32).signing(pkcs1) }},
		{"key_ed25519_short", "An Ed25519 key that lacks bytes counts for nothing.", threshold, func() *key { return edKey("second").with("ed25519", "ed25519", "abcd") }},
		{"key_ed25519_long", "An Ed25519 key with a byte too many counts for nothing.", threshold, func() *key {
			k := edKey("second")
			return k.with("ed25519", "ed25519", k.public()+"00")
		}},
		{"key_ed25519_empty", "An empty key counts for nothing.", threshold, func() *key { return edKey("second").with("ed25519", "ed25519", "") }},
		{"key_ed25519_not_hex", "A key that is not hex counts for nothing.", threshold, func() *key {
			return edKey("second").with("ed25519", "ed25519", strings.Repeat("zz", 32))
		}},
		{"key_ed25519_other_scheme", "A key with the scheme of another type counts for nothing.", threshold, func() *key {
			k := edKey("second")
			return k.with("ed25519", "rsassa-pss-sha256", k.public())
		}},
		{"key_ed25519_called_rsa", "A key with the type of another counts for nothing.", threshold, func() *key {
			k := edKey("second")
			return k.with("rsa", "rsassa-pss-sha256", k.public())
		}},
		{"key_p256_called_p384", "A P-256 key with the scheme of P-384 counts for nothing.", threshold, func() *key {
			k := p256Key("second")
			return k.with("ecdsa", "ecdsa-sha2-nistp384", k.public())
		}},
		{"key_p256_raw_signature", "A signature as two bare numbers is not DER.", signature, func() *key { return p256Key("second").signing(rawECDSA) }},
		{"key_p256_padded_signature", "A signature with a byte after its DER is refused.", signature, func() *key {
			k := p256Key("second")
			return k.signing(func(b []byte) string { return k.sign(b) + "00" })
		}},
		{"key_p256_zero_signature", "A signature of two zeros is refused.", signature, func() *key {
			return p256Key("second").signing(func([]byte) string { return "3006020100020100" })
		}},
		{"key_p256_sha512_signature", "A P-256 signature over another hash is refused.", signature, func() *key {
			return p256Key("second").signing(func(b []byte) string {
				sum := sha512.Sum512(b)
				return hex.EncodeToString(ecSign(ecPrivate(elliptic.P256(), "second"), sum[:32], crypto.SHA256))
			})
		}},
		{"key_pem_broken", "A PEM block that cannot be read counts for nothing.", threshold, func() *key {
			return p256Key("second").with("ecdsa", "ecdsa-sha2-nistp256", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
		}},
		{"key_pem_missing", "A key that should be PEM and is not counts for nothing.", threshold, func() *key {
			return p256Key("second").with("ecdsa", "ecdsa-sha2-nistp256", "04deadbeef")
		}},
		{"key_type_unknown", "A key of a type that the client does not know counts for nothing.", threshold, func() *key {
			return edKey("second").with("ml-dsa", "ml-dsa-65", "00")
		}},
		{"key_scheme_unknown", "A key of a scheme that the client does not know counts for nothing.", threshold, func() *key {
			k := edKey("second")
			return k.with("ed25519", "ed25519ph", k.public())
		}},
		{"key_id_opaque", "The id of a key need not be its hash.", ok, func() *key { return edKey("second").as("the second key") }},
	} {
		f.recipes = append(f.recipes, recipe{c.name, c.shows, "TUF 4.2.1, 4.2.2; suite keytype_and_scheme", func(m *maker) {
			m.c.Beyond = slices.Contains([]string{"key_rsa_1024", "key_p256_raw_signature", "key_ed25519_other_scheme", "key_scheme_unknown"}, c.name)
			secondKey(m, c.key(), c.expect)
		}})
	}
	f.recipes = append(f.recipes, unusable()...)
	f.recipes = append(f.recipes, counted()...)
	return f
}

// secondKey needs two signatures for the timestamp, of which one is by k.
func secondKey(m *maker, k *key, expect string) {
	m.addKey("timestamp", k)
	m.threshold("timestamp", 2)
	m.publish("root")
	m.stamp()
	switch expect {
	case ok:
		m.ok()
		m.stamp()
		plausible := m.files["metadata/timestamp.json"]
		sigs := signatures(marshal(m.md["timestamp"]), m.keys["timestamp"]...)
		wrong := sigs[1].(object)["sig"].(string)
		other := k.sign([]byte("something else"))
		m.files["metadata/timestamp.json"] = replace(plausible, wrong, other)
		m.stale(either)
	case conformance.Any:
		m.step(conformance.Refresh, expect)
	default:
		m.fails("signature|threshold|malformed")
	}
}

func (k *key) signing(sign func([]byte) string) *key {
	return &key{id: k.id, record: k.record, sign: sign}
}

func pkcs1(b []byte) string {
	private := rsaPrivate(rsa2048)
	sum := sha256.Sum256(b)
	prefix, _ := hex.DecodeString("3031300d060960864801650304020105000420")
	info := append(prefix, sum[:]...)
	em := append([]byte{0, 1}, []byte(strings.Repeat("\xff", private.Size()-len(info)-3))...)
	n := new(big.Int).SetBytes(append(append(em, 0), info...))
	return hex.EncodeToString(n.Exp(n, private.D, private.N).FillBytes(make([]byte, private.Size())))
}

func rawECDSA(b []byte) string {
	sum := sha256.Sum256(b)
	der := ecSign(ecPrivate(elliptic.P256(), "second"), sum[:], crypto.SHA256)
	var out []byte
	for rest := der[2:]; len(rest) > 0; rest = rest[2+rest[1]:] {
		n := new(big.Int).SetBytes(rest[2 : 2+rest[1]])
		out = append(out, n.FillBytes(make([]byte, 32))...)
	}
	return hex.EncodeToString(out)
}

// unusable keys stand beside good ones and spoil nothing.
func unusable() []recipe {
	var out []recipe
	for name, k := range map[string]*key{
		"type_unknown":   {id: "unknown", record: object{"keytype": "ml-dsa", "scheme": "ml-dsa-65", "keyval": object{"public": "00"}}},
		"identity":       {id: "identity", record: object{"keytype": "sigstore-oidc", "scheme": "Fulcio", "keyval": object{"identity": "a@example.com", "issuer": "https://example.com"}}},
		"ed25519_short":  {id: "short", record: object{"keytype": "ed25519", "scheme": "ed25519", "keyval": object{"public": "abcd"}}},
		"pem_broken":     {id: "broken", record: object{"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": object{"public": "-----BEGIN"}}},
		"record_missing": {id: "nowhere"},
	} {
		for _, role := range []string{"timestamp", "targets", "delegated"} {
			out = append(out, recipe{role + "_beside_key_" + name, "A key that cannot be used beside a good one does not spoil " + role + ".",
				"TUF 5.4.2; go-tuf v2.4.2", func(m *maker) {
					if role == "delegated" {
						m.delegate("targets", role, nil)
						m.add(role, "file", []byte("delegated\n"))
						m.store(role)
					}
					entry, keys := m.role(role)
					entry["keyids"] = append(list{k.id}, entry["keyids"].(list)...)
					if k.record != nil {
						keys[k.id] = k.record
					}
					m.keys[role] = append([]*key{{id: k.id, sign: func([]byte) string { return strings.Repeat("00", 64) }}}, m.keys[role]...)
					if role == "delegated" {
						m.store(role)
					}
					m.publish("root")
					m.release("targets")
					if role == "delegated" {
						m.gets(map[string]string{"file": "delegated\n"})
						return
					}
					m.ok()
				}})
		}
	}
	return sorted(out)
}

// counted are keys that look like several and are one.
func counted() []recipe {
	var out []recipe
	several := func(name, shows, source string, first *key, others func() []*key) {
		for _, role := range []string{"timestamp", "delegated"} {
			out = append(out, recipe{name + "_for_" + role, shows, source, func(m *maker) {
				if role == "delegated" {
					m.delegate("targets", role, nil)
					m.add(role, "evil", []byte("evil\n"))
				}
				entry, _ := m.role(role)
				entry["keyids"], m.keys[role] = list{}, nil
				m.addKey(role, first)
				for _, k := range others() {
					m.addKey(role, k)
				}
				m.threshold(role, 2)
				if role == "delegated" {
					m.store(role)
				}
				m.publish("root")
				m.release("targets")
				if role == "delegated" {
					m.misses("threshold|malformed", "evil")
					return
				}
				m.fails("threshold|malformed")
			}})
		}
	}
	const source = "go-tuf GHSA-3633-5h82-39pq and PR 733; python-tuf CVE-2020-6174; suite duplicate_keys"
	ed, ec, rs := edKey("one"), p256Key("one"), rsaKey(rsa2048, 32)
	several("key_under_nine_ids", "One key under nine ids is one key.", source, ed, func() (out []*key) {
		for i := range 8 {
			out = append(out, ed.as(fmt.Sprint("alias-", i)))
		}
		return out
	})
	several("key_in_capitals", "One key written in lower and upper case is one key.", source, ed, func() []*key {
		return []*key{ed.with("ed25519", "ed25519", strings.ToUpper(ed.public()))}
	})
	several("key_pem_spaced", "One key in two PEM texts that differ in space is one key.", source, ec, func() []*key {
		return []*key{ec.with("ecdsa", "ecdsa-sha2-nistp256", ec.public()+"\n"), ec.with("ecdsa", "ecdsa-sha2-nistp256", strings.ReplaceAll(ec.public(), "\n", "\r\n"))}
	})
	several("key_of_two_types", "One key under the old and the new name of its type is one key.", source, ec, func() []*key {
		return []*key{ec.with("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", ec.public())}
	})
	several("key_rsa_pem_spaced", "One RSA key in two PEM texts is one key.", source, rs, func() []*key {
		return []*key{rs.with("rsa", "rsassa-pss-sha256", strings.TrimSpace(rs.public()))}
	})
	several("key_with_extra_field", "One key in two records, of which one has a field more, is one key.", source, ed, func() []*key {
		more := &key{record: object{"keytype": "ed25519", "scheme": "ed25519", "keyval": object{"public": ed.public()}, "x": 1}, sign: ed.sign}
		more.id = keyID(more.record)
		return []*key{more}
	})
	out = append(out,
		recipe{"keyid_listed_twice", "A key id that a role lists twice is one key.", source, func(m *maker) {
			entry, _ := m.role("timestamp")
			entry["keyids"] = list{m.keys["timestamp"][0].id, m.keys["timestamp"][0].id}
			m.threshold("timestamp", 2)
			m.publish("root")
			m.stamp()
			m.fails("threshold|malformed")
		}},
		recipe{"key_shared_by_roles", "One key may sign for several roles.", "TUF 4.3", func(m *maker) {
			for _, role := range []string{"snapshot", "targets"} {
				m.rotate(role, "timestamp")
			}
			m.publish("root")
			m.release("targets")
			m.ok()
		}},
		recipe{"key_of_root_in_two_ids", "One root key under two ids does not fill a threshold of two.", source, func(m *maker) {
			m.ok()
			k := m.keys["root"][0]
			m.addKey("root", k.as("alias"))
			m.threshold("root", 2)
			m.publish("root")
			m.stale("threshold|malformed")
		}},
		recipe{"keys_thirty", "A role may have thirty keys.", "TUF 4.3", func(m *maker) {
			for i := range 29 {
				m.listKey("targets", edKey(fmt.Sprint("many-", i)))
			}
			m.publish("root")
			m.release("targets")
			m.ok()
		}},
	)
	return out
}
