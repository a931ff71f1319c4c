// SPDX-License-Identifier: Apache-2.0

package bench

// Baseline is the peer that patch sizes are compared with: the original bsdiff.
const Baseline = "bsdiff"

// Peers are the other tools that are known here, Baseline first, each with the
// options that serve it best. xdelta3 would unpack compressed files and pack
// them again in its own way: -D forbids that, as the result must be the same
// bytes. Zucchini leaves packing its patches to others.
func Peers() []Tool {
	return []Tool{
		{
			Name: Baseline, Programs: []string{"bsdiff", "bspatch"},
			Make:  func(j Job) []Command { return []Command{{"bsdiff", j.Old, j.New, j.Patch}} },
			Apply: func(j Job) []Command { return []Command{{"bspatch", j.Old, j.Result, j.Patch}} },
		},
		xdelta3("plain", "-9", "-n", "-A", "-S", "none"),
		xdelta3("lzma", "-9", "-S", "lzma"),
		zstd("3"),
		zstd("19"),
		{
			Name: "hdiffpatch", Variant: "lzma2", Programs: []string{"hdiffz", "hpatchz"},
			Make: func(j Job) []Command {
				return []Command{{"hdiffz", "-m", "-SD", "-c-lzma2", j.Old, j.New, j.Patch}}
			},
			Apply: func(j Job) []Command { return []Command{{"hpatchz", j.Old, j.Patch, j.Result}} },
		},
		zucchini(),
	}
}

func xdelta3(variant string, options ...string) Tool {
	return Tool{
		Name: "xdelta3", Variant: variant, Programs: []string{"xdelta3"},
		Make: func(j Job) []Command {
			c := append(Command{"xdelta3", "-e", "-D"}, options...)
			return []Command{append(c, "-s", j.Old, j.New, j.Patch)}
		},
		Apply: func(j Job) []Command {
			return []Command{{"xdelta3", "-d", "-D", "-s", j.Old, j.Patch, j.Result}}
		},
	}
}

func zstd(level string) Tool {
	return Tool{
		Name: "zstd", Variant: level, Programs: []string{"zstd"},
		Make: func(j Job) []Command {
			return []Command{{"zstd", "-q", "-" + level, "--long=31", "--patch-from=" + j.Old, j.New, "-o", j.Patch}}
		},
		Apply: func(j Job) []Command {
			return []Command{{"zstd", "-q", "-d", "--long=31", "--patch-from=" + j.Old, j.Patch, "-o", j.Result}}
		},
	}
}

func zucchini() Tool {
	return Tool{
		Name: "zucchini", Variant: "xz", Programs: []string{"zucchini", "xz"},
		Make: func(j Job) []Command {
			return []Command{{"zucchini", "-gen", j.Old, j.New, j.Patch}, {"xz", "-9e", "-f", j.Patch}, {"mv", j.Patch + ".xz", j.Patch}}
		},
		Apply: func(j Job) []Command {
			plain := j.Result + ".plain"
			return []Command{{"cp", j.Patch, plain + ".xz"}, {"xz", "-d", "-f", plain + ".xz"}, {"zucchini", "-apply", j.Old, plain, j.Result}}
		},
	}
}
