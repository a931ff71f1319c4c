// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"os"
	"path/filepath"
	"syscall"
)

// smallDisk puts the program on a file system without room for the next version.
func (x *trouble) smallDisk() (mend func()) {
	x.t.Helper()
	if os.Getuid() != 0 {
		x.t.Skip("only root can mount a small file system")
	}
	program, dir := x.read(x.app), filepath.Dir(x.app)
	must(x.t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=400k"))
	x.t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	x.write(x.app, program, 0o755)
	return func() { must(x.t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=4m")) }
}
