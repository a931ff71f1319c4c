// SPDX-License-Identifier: Apache-2.0

//go:build unix

package install

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/waybill-project/waybill/internal/durable"
	"golang.org/x/sys/unix"
)

const (
	// syncFlag opens a file for fsync; reading is enough here.
	syncFlag = os.O_RDONLY | noFollow
	// noFollow refuses symbolic links and does not wait for the other end of a pipe.
	noFollow = unix.O_NOFOLLOW | unix.O_NONBLOCK
)

func isLink(err error) bool { return errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EMLINK) }

// replace switches staged in. One rename, so the name is never absent.
func (d disk) replace(staged, path, _ string) error { return d.rename(staged, path) }

// imitate gives a new file the owner and the permissions of the old one; nil old is none. Another owner may only be
// given by a privileged user; if that is refused the file stays ours and loses the set-id bits.
func imitate(f durable.File, old fs.FileInfo, mode fs.FileMode) error {
	if old == nil {
		return f.Chmod(mode)
	}
	mode = old.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	now, err := f.Stat()
	if err != nil {
		return err
	}
	was, ok1 := old.Sys().(*syscall.Stat_t)
	is, ok2 := now.Sys().(*syscall.Stat_t)
	if !ok1 || !ok2 || was.Uid == is.Uid && was.Gid == is.Gid {
		return f.Chmod(mode)
	}
	err = chown(f, int(was.Uid), int(was.Gid))
	if errors.Is(err, fs.ErrPermission) {
		return f.Chmod(mode.Perm())
	}
	return errors.Join(err, f.Chmod(mode))
}

func chown(f durable.File, uid, gid int) error {
	owned, ok := f.(interface{ Chown(uid, gid int) error })
	if !ok {
		return fs.ErrPermission
	}
	return owned.Chown(uid, gid)
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
