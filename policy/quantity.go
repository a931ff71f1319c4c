// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var durationForm = regexp.MustCompile(`^(?:([0-9]{1,5})d)?((?:[0-9]{1,9}(?:h|m|s))*)$`)

// parseDuration reads a Go duration of whole hours, minutes and seconds, which may
// begin with whole days.
func parseDuration(s string) (time.Duration, error) {
	m := durationForm.FindStringSubmatch(s)
	if m == nil || s == "" {
		return 0, fmt.Errorf("%q is no duration (like 90d, 12h or 1h30m)", s)
	}
	var d time.Duration
	if m[1] != "" {
		days, err := strconv.Atoi(m[1])
		if err != nil {
			return 0, err
		}
		d = time.Duration(days) * day
	}
	if m[2] == "" {
		return d, nil
	}
	rest, err := time.ParseDuration(m[2])
	if err != nil || rest > math.MaxInt64-d {
		return 0, fmt.Errorf("%q is too long a duration", s)
	}
	return d + rest, nil
}

func formatDuration(d time.Duration) string {
	if d > 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.Truncate(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (r *reader) duration(f field, least, most time.Duration) time.Duration {
	s := r.plain(f)
	if f.value == nil || r.err != nil {
		return 0
	}
	d, err := parseDuration(s)
	if err != nil {
		r.fail(f.value.Line, "%s: %w", f.name, err)
	} else if d < least || d > most {
		r.fail(f.value.Line, "%s is %s, want %s to %s", f.name, s, formatDuration(least), formatDuration(most))
	}
	return d
}

var units = []struct {
	name  string
	bytes int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

func parseSize(s string) (int64, error) {
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 63)
		if err != nil || n > math.MaxInt64/uint64(u.bytes) {
			break
		}
		return int64(n) * u.bytes, nil
	}
	return 0, fmt.Errorf("%q is no size (like 512MiB or 2GiB)", s)
}

func formatSize(n int64) string {
	for _, u := range units {
		if n%u.bytes == 0 && n != 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return "0B"
}

func (r *reader) size(f field, least, most int64) int64 {
	s := r.plain(f)
	if f.value == nil || r.err != nil {
		return 0
	}
	n, err := parseSize(s)
	if err != nil {
		r.fail(f.value.Line, "%s: %w", f.name, err)
	} else if n < least || n > most {
		r.fail(f.value.Line, "%s is %s, want %s to %s", f.name, s, formatSize(least), formatSize(most))
	}
	return n
}

var percentForm = regexp.MustCompile(`^([0-9]{1,2})(?:\.([0-9]{1,2}))?%$`)

// percent reads 0% to 99.99% as a fraction.
func (r *reader) percent(f field) float64 {
	s := r.plain(f)
	if f.value == nil || r.err != nil {
		return 0
	}
	m := percentForm.FindStringSubmatch(s)
	if m == nil {
		r.fail(f.value.Line, "%s is %q, want 0%% to 99.99%%", f.name, s)
		return 0
	}
	hundredths, err := strconv.Atoi(m[1] + (m[2] + "00")[:2])
	if err != nil {
		r.fail(f.value.Line, "%s: %w", f.name, err)
	}
	return float64(hundredths) / 10000
}

func formatPercent(fraction float64) string {
	hundredths := int(math.Round(fraction * 10000))
	s := strconv.Itoa(hundredths / 100)
	if rest := hundredths % 100; rest != 0 {
		s += strings.TrimRight(fmt.Sprintf(".%02d", rest), "0")
	}
	return s + "%"
}
