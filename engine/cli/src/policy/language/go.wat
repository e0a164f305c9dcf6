;; What Go's standard library asks of WASI preview 1, for a component that has little of WASI behind it. There are no files, no sockets,
;; no environment, and one argument. What is written to a file is a line of the operator's log. It has no memory of its own and takes none
;; of the program's: Go does not survive that.
(module
  (import "rectifier:policy/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  ;; A function of the observation, and another one at each call.
  (import "wasi:random/random@0.2.0" "get-random-u64" (func $random (result i64)))
  (import "env" "memory" (memory 0))

  ;; Where time.Now stands, in nanoseconds since 1970-01-01T00:00Z: 1 s until the SDK sets it to observation.now. The monotonic clock
  ;; stands at 1 s, for Go takes 0 for a broken clock.
  (global $now (mut i64) (i64.const 1_000_000_000))

  (func (export "rectifier_set_clock") (param $now i64)
    (global.set $now (local.get $now)))

  (func (export "clock_time_get") (param $id i32) (param $precision i64) (param $time i32) (result i32)
    (i64.store (local.get $time)
      (select (i64.const 1_000_000_000) (global.get $now) (local.get $id)))
    (i32.const 0))

  (func (export "random_get") (param $at i32) (param $length i32) (result i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (block $full
      (loop $next
        (br_if $full (i32.ge_u (local.get $at) (local.get $end)))
        (i64.store8 (local.get $at) (call $random))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  ;; Is the byte at an address, before the end, one from `first` to `last`?
  (func $is (param $at i32) (param $end i32) (param $first i32) (param $last i32) (result i32)
    (if (result i32) (i32.lt_u (local.get $at) (local.get $end))
      (then
        (i32.le_u
          (i32.sub (i32.load8_u (local.get $at)) (local.get $first))
          (i32.sub (local.get $last) (local.get $first))))
      (else (i32.const 0))))

  ;; How many bytes the character at an address has; 0 if there is none in UTF-8.
  (func $character (param $at i32) (param $end i32) (result i32)
    (local $lead i32)
    (local $first i32)
    (local $last i32)
    (local $length i32)
    (local $more i32)
    (local.set $lead (i32.load8_u (local.get $at)))
    (if (i32.lt_u (local.get $lead) (i32.const 0x80)) (then (return (i32.const 1))))
    (if (i32.or (i32.lt_u (local.get $lead) (i32.const 0xc2)) (i32.gt_u (local.get $lead) (i32.const 0xf4)))
      (then (return (i32.const 0))))
    (local.set $length
      (i32.add (i32.const 2)
        (i32.add
          (i32.ge_u (local.get $lead) (i32.const 0xe0))
          (i32.ge_u (local.get $lead) (i32.const 0xf0)))))
    ;; the second byte's range: nothing overlong, no surrogates, nothing beyond U+10FFFF
    (local.set $first (i32.const 0x80))
    (local.set $last (i32.const 0xbf))
    (if (i32.eq (local.get $lead) (i32.const 0xe0)) (then (local.set $first (i32.const 0xa0))))
    (if (i32.eq (local.get $lead) (i32.const 0xed)) (then (local.set $last (i32.const 0x9f))))
    (if (i32.eq (local.get $lead) (i32.const 0xf0)) (then (local.set $first (i32.const 0x90))))
    (if (i32.eq (local.get $lead) (i32.const 0xf4)) (then (local.set $last (i32.const 0x8f))))
    (if (i32.eqz (call $is (i32.add (local.get $at) (i32.const 1)) (local.get $end) (local.get $first) (local.get $last)))
      (then (return (i32.const 0))))
    (local.set $more (i32.const 2))
    (block $whole
      (loop $next
        (br_if $whole (i32.ge_u (local.get $more) (local.get $length)))
        (if (i32.eqz
              (call $is (i32.add (local.get $at) (local.get $more)) (local.get $end) (i32.const 0x80) (i32.const 0xbf)))
          (then (return (i32.const 0))))
        (local.set $more (i32.add (local.get $more) (i32.const 1)))
        (br $next)))
    (local.get $length))

  ;; What is no UTF-8 would cost the decision: a line for each piece between such bytes.
  (func $line (export "rectifier_write_line") (param $level i32) (param $at i32) (param $length i32)
    (local $begin i32)
    (local $end i32)
    (local $character i32)
    (local.set $begin (local.get $at))
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $character (call $character (local.get $at) (local.get $end)))
        (if (local.get $character)
          (then (local.set $at (i32.add (local.get $at) (local.get $character))))
          (else
            (call $piece (local.get $level) (local.get $begin) (local.get $at))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (local.set $begin (local.get $at))))
        (br $next)))
    (call $piece (local.get $level) (local.get $begin) (local.get $end)))

  (func $piece (param $level i32) (param $begin i32) (param $end i32)
    (if (i32.ne (local.get $begin) (local.get $end))
      (then (call $log (local.get $level) (local.get $begin) (i32.sub (local.get $end) (local.get $begin))))))

  ;; Each piece is a line, of level info, without the line feed at its end.
  (func (export "fd_write") (param $file i32) (param $pieces i32) (param $count i32) (param $written i32) (result i32)
    (local $at i32)
    (local $length i32)
    (local $sum i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $at (i32.load (local.get $pieces)))
        (local.set $length (i32.load offset=4 (local.get $pieces)))
        (local.set $sum (i32.add (local.get $sum) (local.get $length)))
        (local.set $pieces (i32.add (local.get $pieces) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br_if $next (i32.eqz (local.get $length)))
        (if (i32.eq (i32.const 10)
              (i32.load8_u (i32.sub (i32.add (local.get $at) (local.get $length)) (i32.const 1))))
          (then (local.set $length (i32.sub (local.get $length) (i32.const 1)))))
        (call $line (i32.const 1) (local.get $at) (local.get $length))
        (br $next)))
    (i32.store (local.get $written) (local.get $sum))
    (i32.const 0))

  ;; One argument, as a command has it: "policy".
  (func (export "args_sizes_get") (param $count i32) (param $bytes i32) (result i32)
    (i32.store (local.get $count) (i32.const 1))
    (i32.store (local.get $bytes) (i32.const 7))
    (i32.const 0))
  (func (export "args_get") (param $arguments i32) (param $bytes i32) (result i32)
    (i32.store (local.get $arguments) (local.get $bytes))
    (i32.store (local.get $bytes) (i32.const 0x696c6f70))
    (i32.store16 offset=4 (local.get $bytes) (i32.const 0x7963))
    (i32.store8 offset=6 (local.get $bytes) (i32.const 0))
    (i32.const 0))

  ;; There are none.
  (func $none (param $count i32) (param $bytes i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $bytes) (i32.const 0))
    (i32.const 0))
  (export "environ_sizes_get" (func $none))
  (func (export "environ_get") (param i32 i32) (result i32) (i32.const 0))

  (func (export "sched_yield") (result i32) (i32.const 0))
  ;; A component ends by answering.
  (func (export "proc_exit") (param i32) unreachable)

  ;; ENOTSUP: nothing is waited for, for time does not go by.
  (func (export "poll_oneoff") (param i32 i32 i32 i32) (result i32) (i32.const 58))

  ;; EBADF: no file is open.
  (func (export "fd_advise") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_allocate") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_close") (param i32) (result i32) (i32.const 8))
  (func (export "fd_datasync") (param i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_set_flags") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_set_rights") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_size") (param i32 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_times") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_pread") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_pwrite") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_read") (param i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_renumber") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_sync") (param i32) (result i32) (i32.const 8))
  (func (export "fd_tell") (param i32 i32) (result i32) (i32.const 8))
  (func (export "path_create_directory") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_filestat_get") (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (i32.const 8))
  (func (export "path_readlink") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_remove_directory") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_rename") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_symlink") (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_unlink_file") (param i32 i32 i32) (result i32) (i32.const 8))

  ;; ENOTSOCK, likewise.
  (func (export "sock_accept") (param i32 i32 i32) (result i32) (i32.const 57))
  (func (export "sock_recv") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 57))
  (func (export "sock_send") (param i32 i32 i32 i32 i32) (result i32) (i32.const 57))
  (func (export "sock_shutdown") (param i32 i32) (result i32) (i32.const 57)))
