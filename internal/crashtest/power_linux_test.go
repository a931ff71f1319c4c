// SPDX-License-Identifier: Apache-2.0

package crashtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/waybill-project/waybill/internal/crashfs"
	"github.com/waybill-project/waybill/internal/durable"
	"golang.org/x/sys/unix"
)

// powerVariable asks for real power cuts, the number of them for each file system. It takes root and loop devices.
const powerVariable = "WAYBILL_POWER_CUTS"

// A disk is a file system in a file that can lose its power.
type disk struct {
	name   string
	make   []string // command, without the file
	option string   // of mount
}

func disks() []disk {
	return []disk{
		{"ext4", []string{"mkfs.ext4", "-q", "-F"}, "loop"},
		{"ext4 noauto_da_alloc", []string{"mkfs.ext4", "-q", "-F"}, "loop,noauto_da_alloc"},
		{"xfs", []string{"mkfs.xfs", "-q", "-f"}, "loop"},
	}
}

// TestPowerCutFigures stops ext4 and XFS dead in the middle of an update, mounts them again and looks. Half of the cuts come
// after the journal was written by somebody else's sync, when the names are durable and the data may not be. The
// same is then done with a client that forgets its syncs, which has to be found out.
func TestPowerCutFigures(t *testing.T) {
	var cuts int
	if _, err := fmt.Sscan(os.Getenv(powerVariable), &cuts); err != nil || cuts < 1 {
		t.Skipf("REAL POWER CUTS WERE NOT TRIED: set %s=40 and be root, with loop devices, mkfs.ext4 and mkfs.xfs", powerVariable)
	}
	for _, d := range disks() {
		t.Run(d.name, func(t *testing.T) {
			m := d.prepare(t)
			if bad := m.cut(t, cuts, asIs); len(bad) > 0 {
				t.Errorf("%d of %d cuts: %v", len(bad), cuts, bad[0])
			}
			careless := m.cut(t, cuts, skip("", crashfs.Sync, crashfs.SyncDir))
			if len(careless) == 0 {
				t.Error("a client without syncs came through as well: these cuts prove nothing")
			}
			t.Logf("figure D4: %d power cuts on "+d.name+", no violation; without syncs %d violations in %d cuts, such as: %v", cuts, len(careless), cuts, careless[:min(1, len(careless))])
		})
	}
}

// machine is a disk that the paths of the scenarios lie on.
type machine struct {
	disk
	image string
	dir   string // where it is mounted: root
}

func (d disk) prepare(t *testing.T) *machine {
	if os.Getuid() != 0 {
		t.Skip("REAL POWER CUTS WERE NOT TRIED: this is not root")
	}
	m := &machine{disk: d, image: filepath.Join(t.TempDir(), "disk"), dir: t.TempDir()}
	command(t, "truncate", "-s", "320M", m.image)
	command(t, d.make[0], append(d.make[1:], m.image)...)
	m.mount(t)
	t.Cleanup(func() { _ = unix.Unmount(m.dir, 0) })
	return m
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func (m *machine) mount(t *testing.T) { command(t, "mount", "-o", m.option, m.image, m.dir) }

// shutdown is the ioctl that stops ext4 and XFS, without writing the journal out: EXT4_IOC_SHUTDOWN, XFS_IOC_GOINGDOWN.
func (m *machine) shutdown(t *testing.T) {
	dir, err := os.Open(m.dir)
	must(t, err)
	defer dir.Close()
	const goingDown, noLogFlush = 0x8004587d, 2
	flags := uint32(noLogFlush)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, dir.Fd(), goingDown, uintptr(unsafe.Pointer(&flags))); errno != 0 {
		t.Fatalf("shut down: %v", errno)
	}
}

// cut plays updates of one program and cuts the power in each. It returns what went wrong.
func (m *machine) cut(t *testing.T, cuts int, wrap func(durable.FS) durable.FS) (bad []error) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	for n := range cuts {
		if err := m.one(t, random, n, wrap); err != nil {
			bad = append(bad, fmt.Errorf("cut %d: %w", n, err))
		}
	}
	return bad
}

// errPower is what every operation after the cut comes back with.
var errPower = errors.New("no power")

// one moves the machine of the scenarios to the disk, cuts the power at one operation of an update, and heals it.
func (m *machine) one(t *testing.T, random *rand.Rand, n int, wrap func(durable.FS) durable.FS) error {
	defer func(r, b, a, s string) { root, bin, app, state = r, b, a, s }(root, bin, app, state)
	root = filepath.Join(m.dir, fmt.Sprint("machine", n))
	bin, state = filepath.Join(root, "bin"), filepath.Join(root, "state")
	app = filepath.Join(bin, "app")
	s := updating(t, "power", way{old: "1.0.0", from: []string{"1.0.0"}[:random.IntN(2)]})
	unpack(t, s.image)
	unix.Sync()
	last := mustRecord(t, s, wrap).rec.Len()
	at, commit, count := 1+random.IntN(last), random.IntN(2) == 0, 0
	under := &hooked{under: durable.OS(), hook: func(c call, do func() error) error {
		if count >= at {
			return errPower
		}
		if changes(c) {
			count++
		}
		err := do()
		if count >= at {
			if commit {
				m.commitJournal(t)
			}
			m.shutdown(t)
		}
		return err
	}}
	failed := s.run(wrap(under), func(func(*crashfs.FS) error) {})
	if count < at {
		m.shutdown(t)
	}
	must(t, unix.Unmount(m.dir, 0))
	m.mount(t)
	left := pack(t)
	err := s.always(left)
	if err == nil && failed == nil {
		err = s.kept(left)
	}
	if err == nil {
		err = s.heal(left, asIs)
	}
	must(t, os.RemoveAll(root))
	return err
}

// changes tells the operations that a recording counts.
func changes(c call) bool {
	if c.kind == open {
		return c.flag&os.O_CREATE != 0
	}
	return !slices.Contains([]crashfs.Kind{read, stat, readdir, closing}, c.kind)
}

// commitJournal is a stranger's fsync, which writes out all names but not all data.
func (m *machine) commitJournal(t *testing.T) {
	f, err := os.Create(filepath.Join(m.dir, "stranger"))
	must(t, err)
	_, err = f.WriteString("x")
	must(t, errors.Join(err, f.Sync(), f.Close()))
}

// unpack puts the files of a model on the disk.
func unpack(t *testing.T, f *crashfs.FS) {
	must(t, os.MkdirAll(bin, 0o755))
	for _, path := range f.Files() {
		data, err := f.ReadFile(path)
		must(t, err)
		info, err := f.Stat(path)
		must(t, err)
		must(t, errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, info.Mode().Perm())))
	}
}

// pack makes a model of the files on the disk.
func pack(t *testing.T) *crashfs.FS {
	f := emptyMachine(t)
	must(t, filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return f.Write(path, data, info.Mode())
	}))
	return f
}
