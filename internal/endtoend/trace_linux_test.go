// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A program is killed at an exact point by tracing it: the k-th call of the
// whole process, whichever thread makes it, that changes a file or makes a
// change durable. strace counts by thread, and the Go scheduler moves work
// between threads, so with it a number names no point.

const (
	ptraceGetSyscallInfo = 0x420e // PTRACE_GET_SYSCALL_INFO, Linux 5.3
	syscallEntry         = 1      // PTRACE_SYSCALL_INFO_ENTRY
	syscallTrap          = syscall.SIGTRAP | 0x80
	thisThreadsOnly      = unix.WALL | unix.WNOTHREAD
)

// traced is how a traced run ended.
type traced struct {
	calls  []string // that changed files, in order; the last one did not happen if killed
	killed bool
	code   int
	output string
}

// trace runs a program and kills it with SIGKILL as it enters its k-th call that
// changes a file, before the call does anything; never, if k is 0.
func (s *shell) trace(k int, args ...string) traced {
	s.t.Helper()
	output, err := os.CreateTemp(s.t.TempDir(), "output")
	must(s.t, err)
	defer output.Close()
	done := make(chan struct{})
	var run traced
	go func() {
		defer close(done)
		runtime.LockOSThread() // the tracer is a thread; it ends with this goroutine
		t := tracer{k: k, env: s.env, dir: s.dir, output: output}
		run, err = t.run(s.program(args[0]), args)
	}()
	<-done
	must(s.t, err)
	text, err := os.ReadFile(output.Name())
	must(s.t, err)
	run.output = string(text)
	return run
}

type tracer struct {
	k      int
	env    []string
	dir    string
	output *os.File
	pid    int
	result traced
}

func (t *tracer) run(path string, args []string) (traced, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return traced{}, err
	}
	defer null.Close()
	p, err := os.StartProcess(path, append([]string{path}, args[1:]...), &os.ProcAttr{
		Dir: t.dir, Env: t.env, Files: []*os.File{null, t.output, t.output}, Sys: &syscall.SysProcAttr{Ptrace: true, Setpgid: true},
	})
	if err != nil {
		return traced{}, err
	}
	t.pid = p.Pid
	defer p.Release()
	watchdog := time.AfterFunc(limit, func() { syscall.Kill(t.pid, syscall.SIGKILL) })
	defer watchdog.Stop()
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(t.pid, &status, thisThreadsOnly, nil); err != nil {
		return traced{}, err
	}
	options := unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL
	if err := syscall.PtraceSetOptions(t.pid, options); err != nil {
		return traced{}, err
	}
	if err := syscall.PtraceSyscall(t.pid, 0); err != nil {
		return traced{}, err
	}
	for !t.step() {
	}
	return t.result, nil
}

// step handles one stop of one thread, and tells whether the process is over.
func (t *tracer) step() (over bool) {
	var status syscall.WaitStatus
	// The group: this thread may have other children, which others wait for.
	tid, err := syscall.Wait4(-t.pid, &status, thisThreadsOnly, nil)
	switch {
	case err == syscall.EINTR:
		return false
	case err != nil:
		return true
	case status.Exited() || status.Signaled():
		if tid == t.pid {
			t.result.killed = status.Signaled() && status.Signal() == syscall.SIGKILL
			t.result.code = status.ExitStatus()
		}
		return tid == t.pid
	case !status.Stopped():
		return false
	}
	signal := 0
	switch s := status.StopSignal(); s {
	case syscallTrap:
		t.call(tid)
	case syscall.SIGTRAP, syscall.SIGSTOP: // a new thread
	default:
		signal = int(s)
	}
	_ = syscall.PtraceSyscall(tid, signal) // fails if it has just been killed
	return false
}

// call looks at a call that a thread enters or leaves, and kills if it is time.
func (t *tracer) call(tid int) {
	var info [88]byte
	n, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, ptraceGetSyscallInfo, uintptr(tid), uintptr(len(info)), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 || n < 80 || info[0] != syscallEntry || t.result.killed {
		return
	}
	word := func(i int) uint64 { return binary.NativeEndian.Uint64(info[24+8*i:]) }
	name := t.change(tid, word(0), [6]uint64{word(1), word(2), word(3), word(4), word(5), word(6)})
	if name == "" {
		return
	}
	t.result.calls = append(t.result.calls, name)
	if len(t.result.calls) == t.k {
		t.result.killed = true
		syscall.Kill(t.pid, syscall.SIGKILL)
	}
}

// change describes a call that changes a file; "" is any other.
func (t *tracer) change(tid int, nr uint64, args [6]uint64) string {
	switch nr {
	case unix.SYS_OPENAT:
		if args[2]&(unix.O_CREAT|unix.O_TRUNC) == 0 {
			return ""
		}
		return "create " + t.name(tid, args[1])
	case unix.SYS_MKDIRAT:
		return "mkdir " + t.name(tid, args[1])
	case unix.SYS_UNLINKAT:
		return "unlink " + t.name(tid, args[1])
	case unix.SYS_LINKAT:
		return "link " + t.name(tid, args[3])
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		return "rename " + t.name(tid, args[3])
	}
	return t.changeByDescriptor(nr, args)
}

func (t *tracer) changeByDescriptor(nr uint64, args [6]uint64) string {
	verb, fd := "", args[0]
	switch nr {
	case unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_WRITEV, unix.SYS_SENDFILE:
		verb = "write"
	case unix.SYS_COPY_FILE_RANGE:
		verb, fd = "write", args[2]
	case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
		verb = "sync"
	case unix.SYS_FTRUNCATE:
		verb = "truncate"
	case unix.SYS_FCHMOD, unix.SYS_FCHOWN:
		verb = "chmod"
	default:
		return ""
	}
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", t.pid, int32(fd)))
	if err != nil || !filepath.IsAbs(path) || path == t.output.Name() || strings.HasPrefix(path, "/dev/") || strings.HasPrefix(path, "/proc/") {
		return ""
	}
	return verb + " " + filepath.Base(path)
}

// name reads a path from the memory of a thread.
func (t *tracer) name(tid int, address uint64) string {
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", tid))
	if err != nil {
		return "?"
	}
	defer mem.Close()
	text := make([]byte, 512)
	n, _ := mem.ReadAt(text, int64(address))
	path, _, _ := bytes.Cut(text[:n], []byte{0})
	return filepath.Base(string(path))
}

// TestTrace makes sure that the tool of the tests below is exact: a shell that
// makes files stops before exactly the one that it must not make.
func TestTrace(t *testing.T) {
	s := newShell(t, t.TempDir())
	whole := s.trace(0, "/bin/sh", "-c", ": >a; : >b; echo text >c")
	if whole.killed || whole.code != 0 || strings.Join(whole.calls, ", ") != "create a, create b, create c, write c" {
		t.Fatalf("%+v", whole)
	}
	dir := t.TempDir()
	cut := newShell(t, dir).trace(3, "/bin/sh", "-c", ": >a; : >b; echo text >c")
	left, err := filepath.Glob(filepath.Join(dir, "?"))
	must(t, err)
	if !cut.killed || len(cut.calls) != 3 || len(left) != 2 {
		t.Fatalf("%+v left %v", cut, left)
	}
}
