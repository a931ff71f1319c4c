// SPDX-License-Identifier: Apache-2.0

package release

import (
	"errors"
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/waybill-project/waybill/repo/layout"
)

// MaxVersionLength and MaxPlatformLength are limits in bytes.
const (
	MaxVersionLength  = 100
	MaxPlatformLength = 64
)

const (
	digits    = "0123456789"
	lowerCase = "abcdefghijklmnopqrstuvwxyz"
	upperCase = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	hexDigits = "0123456789abcdef"
)

// CheckProduct accepts [a-z0-9][a-z0-9-]{0,31} that is no device on Windows.
func CheckProduct(product string) error { return checkWord("product", product) }

// CheckChannel accepts the same names as [CheckProduct].
func CheckChannel(channel string) error { return checkWord("channel", channel) }

func checkWord(what, word string) error {
	if !consistsOf(word, lowerCase+digits+"-") || word[0] == '-' || len(word) > 32 {
		return fmt.Errorf("%s %q: 1 to 32 characters of a-z, 0-9 and -, not starting with -, are needed", what, word)
	}
	if err := layout.CheckName(word); err != nil {
		return fmt.Errorf("%s %q: %w", what, word, err)
	}
	return nil
}

// CheckPlatform accepts 1 to 4 words [a-z0-9]+ joined by -, such as linux-amd64-musl.
func CheckPlatform(platform string) error {
	words := strings.Split(platform, "-")
	if len(words) > 4 || len(platform) > MaxPlatformLength {
		return fmt.Errorf("platform %q: at most 4 words and %d characters", platform, MaxPlatformLength)
	}
	for _, word := range words {
		if !consistsOf(word, lowerCase+digits) {
			return fmt.Errorf("platform %q: words of a-z and 0-9 joined by - are needed", platform)
		}
	}
	if err := layout.CheckName(platform); err != nil {
		return fmt.Errorf("platform %q: %w", platform, err)
	}
	return nil
}

// CheckVersion accepts strict semantic versions 2.0.0 of at most MaxVersionLength
// bytes whose numbers have at most 15 digits.
func CheckVersion(version string) error {
	if err := checkVersion(version); err != nil {
		return fmt.Errorf("version %q: %w", version, err)
	}
	return nil
}

func checkVersion(version string) error {
	if len(version) > MaxVersionLength {
		return fmt.Errorf("%d bytes, the limit is %d", len(version), MaxVersionLength)
	}
	if _, err := semver.StrictNewVersion(version); err != nil {
		return err
	}
	rest, build, hasBuild := strings.Cut(version, "+")
	core, pre, hasPre := strings.Cut(rest, "-")
	for number := range strings.SplitSeq(core, ".") {
		if len(number) > 15 {
			return errors.New("a number has more than 15 digits")
		}
	}
	if hasPre {
		if err := checkIdentifiers(pre, true); err != nil {
			return err
		}
	}
	if hasBuild {
		return checkIdentifiers(build, false)
	}
	return nil
}

func checkIdentifiers(text string, ordered bool) error {
	for identifier := range strings.SplitSeq(text, ".") {
		if !consistsOf(identifier, lowerCase+upperCase+digits+"-") {
			return fmt.Errorf("the identifier %q", identifier)
		}
		if !ordered || !consistsOf(identifier, digits) {
			continue
		}
		if len(identifier) > 15 || len(identifier) > 1 && identifier[0] == '0' {
			return fmt.Errorf("the numeric identifier %q", identifier)
		}
	}
	return nil
}

func consistsOf(text, characters string) bool {
	return text != "" && strings.Trim(text, characters) == ""
}

// Compare orders versions by semver precedence: below 0 if a is lower, above 0 if it
// is higher. What is no version at all is lower than any version.
func Compare(a, b string) int {
	va, errA := semver.StrictNewVersion(a)
	vb, errB := semver.StrictNewVersion(b)
	switch {
	case errA != nil && errB != nil:
		return strings.Compare(a, b)
	case errA != nil:
		return -1
	case errB != nil:
		return 1
	}
	return va.Compare(vb)
}

// VersionPath is how a version is written in target names: '+' becomes '~'.
func VersionPath(version string) string { return strings.ReplaceAll(version, "+", "~") }

// ArtifactTarget names an artifact or a companion of it: PRODUCT/VERSION/PLATFORM/FILE.
func ArtifactTarget(product, version, platform, file string) string {
	return product + "/" + VersionPath(version) + "/" + platform + "/" + file
}

// NotesTarget names release notes: PRODUCT/VERSION/notes.LANGUAGE.md.
func NotesTarget(product, version, language string) string {
	return product + "/" + VersionPath(version) + "/notes." + language + ".md"
}

// StandingTarget names a product's standing: PRODUCT/standing.json.
func StandingTarget(product string) string { return product + "/standing.json" }

// ChannelTarget names a channel document: PRODUCT/channels/CHANNEL/PLATFORM.json.
func ChannelTarget(product, channel, platform string) string {
	return product + "/channels/" + channel + "/" + platform + ".json"
}

// PatchTarget names a patch by the first 12 digits of both hashes:
// PRODUCT/deltas/PLATFORM/TO-FROM.EXT.
func PatchTarget(product, platform, toSHA, fromSHA, ext string) string {
	return product + "/deltas/" + platform + "/" + short(toSHA) + "-" + short(fromSHA) + "." + ext
}

func short(sha string) string { return sha[:min(12, len(sha))] }

// ParseChannelTarget is the inverse of ChannelTarget.
func ParseChannelTarget(target string) (product, channel, platform string, ok bool) {
	parts := strings.Split(target, "/")
	if len(parts) != 4 || parts[1] != "channels" {
		return "", "", "", false
	}
	platform, ok = strings.CutSuffix(parts[3], ".json")
	if !ok || CheckProduct(parts[0]) != nil || CheckChannel(parts[2]) != nil || CheckPlatform(platform) != nil {
		return "", "", "", false
	}
	return parts[0], parts[2], platform, true
}

// ParseStandingTarget is the inverse of StandingTarget.
func ParseStandingTarget(target string) (product string, ok bool) {
	product, ok = strings.CutSuffix(target, "/standing.json")
	return product, ok && CheckProduct(product) == nil
}
