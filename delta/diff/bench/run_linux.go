// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// launcher is a shell script. The shell names a process, which becomes the
// command at a sign, once the shell is gone.
const launcher = `{ read go <&4 && exec "$@" 3>&- 4<&-; } & echo $! >&3`

// run has a shell start the command. The peak that Linux reports of a process
// covers the moment before exec, when it still has the memory of its parent:
// ours would drown what a small tool uses, a shell's does not.
func run(ctx context.Context, c Command, out *os.File) (Cost, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return Cost{}, fmt.Errorf("adopt orphans: %w", err)
	}
	p, err := prepare(c, out)
	if err != nil {
		return Cost{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = unix.Kill(-p.group, unix.SIGKILL) })
	defer stop()
	started := time.Now()
	p.release()
	var status unix.WaitStatus
	var used unix.Rusage
	for {
		if _, err = unix.Wait4(p.pid, &status, 0, &used); err != unix.EINTR {
			break
		}
	}
	cost := Cost{
		CPU:  time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds(),
		Wall: time.Since(started).Seconds(),
		Peak: int64(used.Maxrss) << 10,
	}
	switch {
	case err != nil:
		return cost, fmt.Errorf("wait for %s: %w", c[0], err)
	case status.Signaled():
		return cost, fmt.Errorf("ended by signal %v", status.Signal())
	case status.ExitStatus() != 0:
		return cost, fmt.Errorf("exit status %d", status.ExitStatus())
	}
	return cost, nil
}

// prepared is an orphan of ours that waits for its sign.
type prepared struct {
	pid, group int
	sign       *os.File
}

func prepare(c Command, out *os.File) (*prepared, error) {
	names, named, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer names.Close()
	defer named.Close()
	signs, sign, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer signs.Close()
	sh := exec.Command("/bin/sh", append([]string{"-c", launcher, "sh"}, c...)...)
	sh.Stdout, sh.Stderr, sh.ExtraFiles = out, out, []*os.File{named, signs}
	sh.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := sh.Run(); err != nil {
		return nil, errors.Join(err, sign.Close())
	}
	p := &prepared{group: sh.Process.Pid, sign: sign}
	if _, err := fmt.Fscan(names, &p.pid); err != nil {
		return nil, errors.Join(fmt.Errorf("the shell named no process: %w", err), sign.Close())
	}
	return p, nil
}

// release cannot fail to any effect: without a sign the process ends with an
// error, which the wait finds.
func (p *prepared) release() {
	_, _ = p.sign.WriteString("\n")
	_ = p.sign.Close()
}
