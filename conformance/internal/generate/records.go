// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"crypto"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/waybill-project/waybill/conformance"
)

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
		{"key_ed25519_in_capitals", "An Ed25519 key may be written in capitals.", ok, func() *key {
			k := edKey("second")
			return k.with("ed25519", "ed25519", strings.ToUpper(k.public()))
		}},
		{"key_p256_without_last_newline", "A PEM block may lack its last line end.", ok, func() *key {
			k := p256Key("second")
			return k.with("ecdsa", "ecdsa-sha2-nistp256", strings.TrimSpace(k.public()))
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
