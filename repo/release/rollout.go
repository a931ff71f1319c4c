// SPDX-License-Identifier: Apache-2.0

package release

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rollout opens a release to a growing share of the endpoints.
type Rollout struct {
	Start time.Time
	Waves []Wave
}

// Wave is the share that a release is open to from Start plus After on. Both grow
// from one wave to the next.
type Wave struct {
	After   time.Duration
	Percent Percent
}

// Percent counts hundredths of a percent, from 0 to 10,000.
type Percent int

// Everyone is 100 percent.
const Everyone Percent = 10_000

// String is the number without a sign, with at most two decimals: 5, 12.5, 0.25.
func (p Percent) String() string {
	return strconv.FormatFloat(float64(p)/100, 'f', -1, 64)
}

const maxAfter = 3650 * 24 * time.Hour

// Open reports whether a roll-out has reached an endpoint. The seed is the endpoint's
// own, made once and kept. Its bucket is the first 8 bytes, big-endian, of
// sha256(seed, 0x00, product, 0x00, version) mod 10,000, and a wave is open to the
// buckets below its percentage. Without a seed only 100 percent is open; before
// Start, which a zero now always is, nothing is. A nil Rollout is open.
func (r *Rollout) Open(now time.Time, seed []byte, product, version string) bool {
	if r == nil {
		return true
	}
	reached := Percent(0)
	for _, wave := range r.Waves {
		if !now.Before(r.Start.Add(wave.After)) {
			reached = max(reached, wave.Percent)
		}
	}
	if reached >= Everyone {
		return true
	}
	return len(seed) > 0 && bucket(seed, product, version) < reached
}

func bucket(seed []byte, product, version string) Percent {
	hash := sha256.New()
	hash.Write(seed)
	hash.Write([]byte("\x00" + product + "\x00" + version))
	return Percent(binary.BigEndian.Uint64(hash.Sum(nil)) % uint64(Everyone))
}

func parseRollout(parent object) *Rollout {
	o, found := parent.child("rollout", false)
	if !found {
		return nil
	}
	rollout := &Rollout{Start: o.time("start")}
	for i, item := range o.objects("waves", MaxWaves, true) {
		wave := parseWave(item)
		if i > 0 {
			last := rollout.Waves[i-1]
			if wave.After <= last.After || wave.Percent <= last.Percent {
				o.fail(index("waves", i), "does not grow")
			}
		}
		rollout.Waves = append(rollout.Waves, wave)
	}
	if len(rollout.Waves) == 0 {
		o.fail("waves", "is empty")
	}
	return rollout
}

func parseWave(o object) Wave {
	var wave Wave
	o.text("after", func(text string) (err error) {
		wave.After, err = time.ParseDuration(text)
		if err != nil || wave.After < 0 || wave.After > maxAfter || wave.After%time.Second != 0 {
			return fmt.Errorf("%q is not a duration in whole seconds such as 24h", text)
		}
		return nil
	})
	value, found := o.member("percent", true)
	number, ok := value.(json.Number)
	if !found {
		return wave
	}
	wave.Percent, ok = parsePercent(number.String(), ok)
	if !ok {
		o.fail("percent", "not a number from 0 to 100 with at most two decimals")
	}
	return wave
}

func parsePercent(text string, isNumber bool) (Percent, bool) {
	whole, decimals, _ := strings.Cut(text, ".")
	if !isNumber || len(whole) > 3 || len(decimals) > 2 {
		return 0, false
	}
	n, err := strconv.ParseUint(whole+(decimals + "00")[:2], 10, 16)
	percent := Percent(n)
	return percent, err == nil && percent <= Everyone
}

// formatDuration drops the zero units that Duration.String adds: 24h, not 24h0m0s.
func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
