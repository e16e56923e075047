;;; meta-log-peer-sync-rpc.el --- Life of the sidecar and requests to it  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, processes

;;; Commentary:

;; The only file that touches the process.  It finds and starts the
;; sidecar, keeps it running, queues requests until it is ready, and hands
;; on what arrives.
;;
;; Three rules hold throughout.  Requests are asynchronous; the one
;; function that waits, `meta-log-peer-sync-rpc-wait', does so with a
;; deadline.  Nothing runs inside the process filter: whatever arrives is
;; put into an inbox, which a timer empties in slices of 30 ms, because a
;; filter that sends may be called again by Emacs before it has returned.
;; And no error of a callback reaches the connection.

;;; Code:

(require 'cl-lib)
(require 'jsonrpc)
(require 'seq)
(require 'subr-x)

(defcustom meta-log-peer-sync-rpc-program nil
  "How to start the sidecar.
A string is the file name of the program, a list of strings is a
command with its first arguments, such as (\"python3\" \"-m\" \"federation\").
When nil, the program `meta-log-peer-sync' is looked for in variable
`exec-path', then where \\[meta-log-peer-sync-install-sidecar] puts it, and
then the Python package that this file belongs to is used."
  :type '(choice (const :tag "Find it" nil) file (repeat :tag "Command" string))
  :risky t
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-rpc-attempts 5
  "After how many failed starts in a row to give up, and say why.
A start has failed when the sidecar ends by itself before it is ready.
One that fails because of the configuration is not tried again."
  :type 'natnum
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defconst meta-log-peer-sync-rpc-version "0.1.0"
  "Version of this package; the sidecar has to be of the same one.")

(defvar meta-log-peer-sync-rpc-event-function #'ignore
  "Function called with each event, a plist; set by the package.")

(defvar meta-log-peer-sync-rpc-ready-function #'ignore
  "Function called with the status, a plist, when the sidecar is ready.
It runs before the requests that were queued are sent.")

(defvar meta-log-peer-sync-rpc-state-function #'ignore
  "Function without arguments called when the state has changed.")

(defconst meta-log-peer-sync-rpc--directory
  (file-name-directory (or load-file-name buffer-file-name default-directory))
  "Folder of this file.")

(defconst meta-log-peer-sync-rpc--log-name "*meta-log-peer-sync log*"
  "Name of the buffer that shows what the sidecar writes to standard error.")

(defconst meta-log-peer-sync-rpc--log-size 100000
  "Characters of the log buffer that are kept.")

(defconst meta-log-peer-sync-rpc--in-flight-limit 64
  "Requests that are under way at once; the sidecar takes 256.")

(defconst meta-log-peer-sync-rpc--once
  '("message.send" "topic.publish" "identity.create" "documents.restore"
    "documents.export" "broker.open" "broker.close" "shutdown")
  "Methods that must not be sent twice when the sidecar was lost.
Everything else is safe to repeat, and is sent again.")

(cl-defstruct (meta-log-peer-sync-rpc--request
               (:constructor meta-log-peer-sync-rpc--make-request)
               (:copier nil))
  "One request: METHOD and PARAMS, what to call, and how it ended.
STATE is `waiting', `done' or `failed'; VALUE the result or the error."
  method params success error (state 'waiting) value)

(defvar meta-log-peer-sync-rpc--state 'stopped
  "One of `stopped', `starting', `ready', `waiting' (for a restart), `failed'.")
(defvar meta-log-peer-sync-rpc--connection nil "The jsonrpc connection, or nil.")
(defvar meta-log-peer-sync-rpc--process nil "The process of the connection, or nil.")
(defvar meta-log-peer-sync-rpc--generation 0 "Counts the processes started.")
(defvar meta-log-peer-sync-rpc--arguments nil "Plist that the sidecar was started with.")
(defvar meta-log-peer-sync-rpc--status nil "The newest answer to `status', a plist.")
(defvar meta-log-peer-sync-rpc--queue nil "Requests not yet sent, oldest first.")
(defvar meta-log-peer-sync-rpc--in-flight nil "Requests sent and not answered, newest first.")
(defvar meta-log-peer-sync-rpc--failures 0 "Starts that failed in a row.")
(defvar meta-log-peer-sync-rpc--restarts 0 "Restarts in a row, for the backoff.")
(defvar meta-log-peer-sync-rpc--ready-time nil "When the sidecar became ready, or nil.")
(defvar meta-log-peer-sync-rpc--timer nil "Timer of a restart, or of a start that hangs.")
(defvar meta-log-peer-sync-rpc--last-line "" "Last line of standard error.")
(defvar meta-log-peer-sync-rpc--reason nil "Reason of a refused start, a string or nil.")
(defvar meta-log-peer-sync-rpc--errors nil "The process that reads standard error, or nil.")
(defvar meta-log-peer-sync-rpc--failure nil "Why it was given up, a string or nil.")
(defvar meta-log-peer-sync-rpc--again nil "Non-nil: start again as soon as it has ended.")
(defvar meta-log-peer-sync-rpc--inbox nil "What has arrived, as functions, oldest first.")
(defvar meta-log-peer-sync-rpc--inbox-end nil "Last cons of the inbox.")
(defvar meta-log-peer-sync-rpc--inbox-timer nil "Timer that empties the inbox, or nil.")

;;;; Finding the program

(defun meta-log-peer-sync-rpc--package-root ()
  "Return the folder of the Python package of this file, or nil.
That is the repository, or `site-packages' when this file is in a wheel."
  (let* ((parent (file-name-directory
                  (directory-file-name meta-log-peer-sync-rpc--directory)))
         (beside (expand-file-name "federation/__main__.py" parent))
         (around (expand-file-name "__main__.py" parent)))
    (cond ((file-exists-p beside) parent)
          ((and (file-exists-p around)
                (equal (file-name-nondirectory (directory-file-name parent)) "federation"))
           (file-name-directory (directory-file-name parent))))))

(defun meta-log-peer-sync-rpc--python (root)
  "Return the Python that belongs to ROOT, or any other one, or nil."
  (or (cl-find-if #'file-executable-p
                  (mapcar (lambda (name) (expand-file-name name root))
                          '(".venv/bin/python3" "../../../bin/python3")))
      (executable-find "python3")
      (executable-find "python")))

(defun meta-log-peer-sync-rpc-own-directory ()
  "Return the folder of the sidecar that Emacs has installed, there or not."
  (file-name-as-directory (expand-file-name (locate-user-emacs-file "meta-log-sidecar/"))))

(defun meta-log-peer-sync-rpc-own-program ()
  "Return the program that Emacs has installed, or nil."
  (cl-find-if #'file-executable-p
              (mapcar (lambda (name)
                        (expand-file-name name (meta-log-peer-sync-rpc-own-directory)))
                      '("bin/meta-log-peer-sync" "venv/bin/meta-log-peer-sync"))))

(defun meta-log-peer-sync-rpc-command ()
  "Return (COMMAND . ROOT) to start the sidecar with.
COMMAND is a list of strings.  ROOT is nil, or the folder that Python
has to find the package in."
  (let ((program meta-log-peer-sync-rpc-program) root python)
    (cond
     ((consp program) (list program))
     ((stringp program)
      (let ((found (executable-find (expand-file-name program))))
        (list (list (or found (executable-find program)
                        (user-error "No program %s; correct `meta-log-peer-sync-rpc-program'"
                                    program))))))
     ((executable-find "meta-log-peer-sync")
      (list (list (executable-find "meta-log-peer-sync"))))
     ((meta-log-peer-sync-rpc-own-program)
      (list (list (meta-log-peer-sync-rpc-own-program))))
     ((and (setq root (meta-log-peer-sync-rpc--package-root))
           (setq python (meta-log-peer-sync-rpc--python root)))
      (cons (list python "-m" "federation") root))
     (t (user-error "No sidecar found; M-x meta-log-peer-sync-install-sidecar, \
or set `meta-log-peer-sync-rpc-program'")))))

(defun meta-log-peer-sync-rpc-flags (arguments &rest verb)
  "Return the command line that VERB and ARGUMENTS, a plist, stand for."
  (let ((words (append verb (list "--json"))))
    (cl-loop for (key flag) in '((:state-dir "--state-dir") (:policy "--trust-policy")
                                 (:broker-url "--broker-url")
                                 (:username "--broker-username"))
             for value = (plist-get arguments key)
             when value do (setq words (append words (list flag (format "%s" value)))))
    words))

(defun meta-log-peer-sync-rpc-environment (arguments root)
  "Return the environment of the sidecar for ARGUMENTS and package ROOT.
A password goes here, where other users cannot read it, never on the
command line."
  (let ((password (plist-get arguments :password))
        (path (getenv "PYTHONPATH")))
    (append
     (and password (list (concat "MQTT_PASSWORD=" password)))
     (and root (list (concat "PYTHONPATH=" (directory-file-name root)
                             (and path (not (string-empty-p path))
                                  (concat path-separator path)))))
     process-environment)))

;;;; The inbox

(defun meta-log-peer-sync-rpc--later (function)
  "Put FUNCTION into the inbox, behind everything that arrived before."
  (let ((cell (list function)))
    (if meta-log-peer-sync-rpc--inbox
        (setcdr meta-log-peer-sync-rpc--inbox-end cell)
      (setq meta-log-peer-sync-rpc--inbox cell))
    (setq meta-log-peer-sync-rpc--inbox-end cell))
  (unless meta-log-peer-sync-rpc--inbox-timer
    (setq meta-log-peer-sync-rpc--inbox-timer
          (run-at-time 0 nil #'meta-log-peer-sync-rpc--empty-inbox))))

(defun meta-log-peer-sync-rpc--empty-inbox ()
  "Run what is in the inbox, for 30 ms at most; the rest is for a timer.
A function of the inbox may wait, and so call this again: each entry is
taken out before it runs."
  (when meta-log-peer-sync-rpc--inbox-timer
    (cancel-timer meta-log-peer-sync-rpc--inbox-timer)
    (setq meta-log-peer-sync-rpc--inbox-timer nil))
  (let ((end (+ (float-time) 0.03)))
    (while (and meta-log-peer-sync-rpc--inbox (< (float-time) end))
      (meta-log-peer-sync-rpc--guarded (pop meta-log-peer-sync-rpc--inbox))))
  (when (and meta-log-peer-sync-rpc--inbox
             (not meta-log-peer-sync-rpc--inbox-timer))
    (setq meta-log-peer-sync-rpc--inbox-timer
          (run-at-time 0.002 nil #'meta-log-peer-sync-rpc--empty-inbox))))

(defun meta-log-peer-sync-rpc--guarded (function &rest arguments)
  "Call FUNCTION with ARGUMENTS; an error is shown, and that is all."
  (condition-case problem
      (with-temp-buffer (apply function arguments))
    ((error quit)
     (message "meta-log-peer-sync: %s" (error-message-string problem))
     nil)))

;;;; Starting and ending

(defun meta-log-peer-sync-rpc--set-state (state)
  "Make STATE the state of the sidecar, and tell about it."
  (unless (eq state meta-log-peer-sync-rpc--state)
    (setq meta-log-peer-sync-rpc--state state)
    (meta-log-peer-sync-rpc--guarded meta-log-peer-sync-rpc-state-function)))

(defun meta-log-peer-sync-rpc--cancel-timer ()
  "Cancel the timer of a restart."
  (when meta-log-peer-sync-rpc--timer
    (cancel-timer meta-log-peer-sync-rpc--timer)
    (setq meta-log-peer-sync-rpc--timer nil)))

(defun meta-log-peer-sync-rpc-lacking (text)
  "Return the cure when TEXT, of standard error, names a missing package.
That is so where the source is there, and nothing that it needs."
  (when (string-match "^ModuleNotFoundError: No module named '\\([A-Za-z0-9_.]+\\)'" text)
    (format "its Python has no package %s; M-x meta-log-peer-sync-install-sidecar"
            (match-string 1 text))))

(defun meta-log-peer-sync-rpc--note-line (line)
  "Remember LINE, of standard error.
The reason of a refused start is in a JSON object."
  (when (meta-log-peer-sync-rpc-lacking line)
    (setq meta-log-peer-sync-rpc--reason "config-lacking"
          line (meta-log-peer-sync-rpc-lacking line)))
  (let ((problem (and (string-prefix-p "{" line)
                      (ignore-errors
                        (json-parse-string line :object-type 'plist :null-object nil)))))
    (when (stringp (plist-get problem :reason))
      (setq meta-log-peer-sync-rpc--reason (plist-get problem :reason)
            line (meta-log-peer-sync-rpc-error-text
                  (list :message (plist-get problem :message) :data problem))))
    (setq meta-log-peer-sync-rpc--last-line (truncate-string-to-width line 300))))

(defun meta-log-peer-sync-rpc--log (_process text)
  "Add TEXT, from standard error, to the log buffer."
  (dolist (line (split-string text "\n" t "[ \t\r]+"))
    (meta-log-peer-sync-rpc--note-line line))
  (with-current-buffer (get-buffer-create meta-log-peer-sync-rpc--log-name)
    (unless (derived-mode-p 'special-mode)
      (special-mode)
      (buffer-disable-undo)
      (setq-local bidi-display-reordering nil))
    (let ((inhibit-read-only t))
      (save-excursion
        (goto-char (point-max))
        (insert text)
        (when (> (buffer-size) meta-log-peer-sync-rpc--log-size)
          (goto-char (- (point-max) (/ meta-log-peer-sync-rpc--log-size 2)))
          (forward-line 1)
          (delete-region (point-min) (point)))))))

(defun meta-log-peer-sync-rpc--make-process ()
  "Start the program and return its process."
  (pcase-let* ((`(,command . ,root) (meta-log-peer-sync-rpc-command))
               (arguments meta-log-peer-sync-rpc--arguments)
               ;; Python would import modules from the current folder, and
               ;; whatever folder the user is in may hold synced files.
               (default-directory (or root (plist-get arguments :state-dir) "/"))
               (process-environment
                (meta-log-peer-sync-rpc-environment arguments root))
               (process-adaptive-read-buffering nil)
               (errors (make-pipe-process
                        :name "meta-log-peer-sync stderr" :buffer nil :noquery t
                        :coding 'utf-8-emacs-unix
                        :filter #'meta-log-peer-sync-rpc--log :sentinel #'ignore)))
    (setq meta-log-peer-sync-rpc--errors errors)
    (condition-case problem
        (make-process
         :name "meta-log-peer-sync"
         :command (append command (meta-log-peer-sync-rpc-flags arguments "serve" "--stdio"))
         :coding 'utf-8-emacs-unix :connection-type 'pipe
         :noquery t :stderr errors)
      (error (delete-process errors)
             (signal (car problem) (cdr problem))))))

(defun meta-log-peer-sync-rpc--connect ()
  "Start the process and speak JSON-RPC with it; return the connection."
  (let* ((read-process-output-max (max read-process-output-max 65536))
         (process (meta-log-peer-sync-rpc--make-process))
         (generation (cl-incf meta-log-peer-sync-rpc--generation))
         ;; Buffers are named after it.  The sentinel of the one before may
         ;; run only now, and kill those that have its name.
         (name (format "meta-log-peer-sync %d" generation))
         (connection
          (apply #'make-instance 'jsonrpc-process-connection
                 :name name
                 :process process
                 :notification-dispatcher
                 (lambda (_connection method params)
                   (meta-log-peer-sync-rpc--receive generation method params))
                 :on-shutdown
                 (lambda (_connection)
                   (meta-log-peer-sync-rpc--later
                    (lambda () (meta-log-peer-sync-rpc--ended generation process))))
                 ;; Logging every message costs three to five times the
                 ;; time; the name of the switch has changed in 1.0.21.
                 (if (slot-exists-p 'jsonrpc-connection '-events-buffer-config)
                     '(:events-buffer-config (:size 0 :format full))
                   '(:events-buffer-scrollback-size 0)))))
    (process-put process 'meta-log-peer-sync-rpc-name name)
    (add-function :around (process-sentinel process)
                  #'meta-log-peer-sync-rpc--quiet-sentinel)
    (setq meta-log-peer-sync-rpc--process process
          meta-log-peer-sync-rpc--connection connection)))

(defun meta-log-peer-sync-rpc--quiet-sentinel (sentinel process change)
  "Call SENTINEL with PROCESS and CHANGE, without its message and buffers."
  (unless (process-live-p process)
    (let ((output (process-buffer process))
          (errors (process-get process 'jsonrpc-stderr))
          (events (format "*%s events*" (process-get process 'meta-log-peer-sync-rpc-name)))
          (inhibit-message t)
          (message-log-max nil))
      (unwind-protect (funcall sentinel process change)
        (dolist (buffer (list output errors events))
          (when (and buffer (get-buffer buffer))
            (let (kill-buffer-query-functions)
              (kill-buffer buffer))))))))

(defun meta-log-peer-sync-rpc--launch ()
  "Start the sidecar once and ask for its status and events."
  (meta-log-peer-sync-rpc--cancel-timer)
  (meta-log-peer-sync-rpc--put-back)
  (setq meta-log-peer-sync-rpc--ready-time nil
        meta-log-peer-sync-rpc--reason nil
        meta-log-peer-sync-rpc--last-line "")
  (meta-log-peer-sync-rpc--connect)
  (meta-log-peer-sync-rpc--set-state 'starting)
  (let ((generation meta-log-peer-sync-rpc--generation)
        (process meta-log-peer-sync-rpc--process)
        (connection meta-log-peer-sync-rpc--connection))
    ;; A start that hangs is ended, and so counts as one that failed.
    (setq meta-log-peer-sync-rpc--timer
          (run-at-time 30 nil (lambda ()
                                (when (and (= generation meta-log-peer-sync-rpc--generation)
                                           (eq meta-log-peer-sync-rpc--state 'starting))
                                  (setq meta-log-peer-sync-rpc--last-line
                                        "it did not answer within 30 s")
                                  (delete-process process)))))
    (condition-case nil
        (progn
          (jsonrpc-async-request connection 'events.subscribe (make-hash-table)
                                 :success-fn #'ignore :error-fn #'ignore :timeout nil)
          (jsonrpc-async-request
           connection 'status (make-hash-table) :timeout nil :error-fn #'ignore
           :success-fn
           (lambda (status)
             (meta-log-peer-sync-rpc--later
              (lambda () (meta-log-peer-sync-rpc--ready generation status))))))
      ;; It has ended already; its sentinel says so.
      (error nil))))

(defun meta-log-peer-sync-rpc--ready (generation status)
  "Process GENERATION answered its first request, with STATUS: send what waits."
  ;; It may have been told to stop before it answered.
  (when (and (= generation meta-log-peer-sync-rpc--generation)
             (eq meta-log-peer-sync-rpc--state 'starting))
    (meta-log-peer-sync-rpc--cancel-timer)
    (setq meta-log-peer-sync-rpc--failures 0
          meta-log-peer-sync-rpc--failure nil)
    (if (meta-log-peer-sync-rpc-fits-p (plist-get status :version))
        (progn
          (setq meta-log-peer-sync-rpc--ready-time (float-time)
                meta-log-peer-sync-rpc--status status)
          (meta-log-peer-sync-rpc--set-state 'ready)
          (meta-log-peer-sync-rpc--guarded meta-log-peer-sync-rpc-ready-function status)
          (meta-log-peer-sync-rpc--send-queue))
      (meta-log-peer-sync-rpc--refuse-version (plist-get status :version)))))

(defun meta-log-peer-sync-rpc-fits-p (version)
  "Return non-nil when a sidecar of VERSION fits this package.
The first two numbers have to be the same."
  (let ((start (lambda (text) (seq-take (split-string text "\\.") 2))))
    (and (stringp version)
         (equal (funcall start version) (funcall start meta-log-peer-sync-rpc-version)))))

(defun meta-log-peer-sync-rpc--refuse-version (version)
  "Give up, because the sidecar is of VERSION."
  (let ((process meta-log-peer-sync-rpc--process))
    ;; Nobody waits for its end any more.
    (cl-incf meta-log-peer-sync-rpc--generation)
    (setq meta-log-peer-sync-rpc--process nil
          meta-log-peer-sync-rpc--connection nil
          meta-log-peer-sync-rpc--reason "wrong-version"
          meta-log-peer-sync-rpc--last-line
          (format "it is version %s, this package %s; M-x meta-log-peer-sync-upgrade-sidecar \
(or end the peer that is running there, if that is the old one)"
                  version meta-log-peer-sync-rpc-version))
    (meta-log-peer-sync-rpc--put-back)
    (ignore-errors (process-send-eof process))
    (meta-log-peer-sync-rpc--give-up)))

(defun meta-log-peer-sync-rpc--put-back ()
  "Queue what was sent and not answered, or fail it when it must not be repeated."
  (let* ((sent (reverse meta-log-peer-sync-rpc--in-flight))
         (once (lambda (request)
                 (member (meta-log-peer-sync-rpc--request-method request)
                         meta-log-peer-sync-rpc--once)))
         (lost (cl-remove-if-not once sent)))
    (setq meta-log-peer-sync-rpc--in-flight nil
          meta-log-peer-sync-rpc--queue
          (append (cl-remove-if once sent) meta-log-peer-sync-rpc--queue))
    (meta-log-peer-sync-rpc--fail lost "the sidecar stopped before it answered; \
whether it was done is not known" "sidecar-lost")))

(defun meta-log-peer-sync-rpc--fail (requests message reason)
  "Let REQUESTS fail with MESSAGE and REASON, both strings."
  (dolist (request requests)
    (meta-log-peer-sync-rpc--finish
     request 'failed (list :code -1 :message message :data (list :reason reason)))))

(defun meta-log-peer-sync-rpc--ended (generation process)
  "PROCESS, number GENERATION, has ended: keep what can be repeated, restart."
  (when (= generation meta-log-peer-sync-rpc--generation)
    (meta-log-peer-sync-rpc--cancel-timer)
    (let ((killed (eq (process-status process) 'signal))
          (ready meta-log-peer-sync-rpc--ready-time))
      (setq meta-log-peer-sync-rpc--connection nil
            meta-log-peer-sync-rpc--process nil
            meta-log-peer-sync-rpc--ready-time nil)
      (meta-log-peer-sync-rpc--put-back)
      (cond
       (meta-log-peer-sync-rpc--again
        (setq meta-log-peer-sync-rpc--again nil)
        (meta-log-peer-sync-rpc--start-again))
       ((eq meta-log-peer-sync-rpc--state 'stopped)
        (meta-log-peer-sync-rpc--fail-queue "the sidecar was stopped" "sidecar-stopped"))
       (t
        (when (and ready (> (- (float-time) ready) 5))
          (setq meta-log-peer-sync-rpc--restarts 0))
        (unless (or ready killed)
          (meta-log-peer-sync-rpc--read-errors)
          (cl-incf meta-log-peer-sync-rpc--failures))
        (if (and (not ready) (meta-log-peer-sync-rpc--hopeless-p))
            (meta-log-peer-sync-rpc--give-up)
          (meta-log-peer-sync-rpc--restart-later)))))))

(defun meta-log-peer-sync-rpc--read-errors ()
  "Read what the ended process has written to standard error and is not read yet."
  (let ((end (+ (float-time) 0.05)))
    (while (and (process-live-p meta-log-peer-sync-rpc--errors)
                (< (float-time) end))
      (accept-process-output meta-log-peer-sync-rpc--errors 0.01))))

(defun meta-log-peer-sync-rpc--hopeless-p ()
  "Return non-nil when the next start would be refused for the same reason.
A state directory in use may be free again."
  (let ((reason (or meta-log-peer-sync-rpc--reason "")))
    (and (string-match-p "\\`\\(?:config\\|identity\\)-" reason)
         (not (equal reason "config-state-locked")))))

(defun meta-log-peer-sync-rpc--fail-queue (message reason)
  "Let everything that waits fail with MESSAGE and REASON, both strings."
  (let ((waiting meta-log-peer-sync-rpc--queue))
    (setq meta-log-peer-sync-rpc--queue nil)
    (meta-log-peer-sync-rpc--fail waiting message reason)))

(defun meta-log-peer-sync-rpc--restart-later ()
  "Start again after the backoff, or give up and say why."
  (if (>= meta-log-peer-sync-rpc--failures (max 1 meta-log-peer-sync-rpc-attempts))
      (meta-log-peer-sync-rpc--give-up)
    (let ((delay (min 2.0 (* 0.1 (expt 2 (min 10 meta-log-peer-sync-rpc--restarts))))))
      (cl-incf meta-log-peer-sync-rpc--restarts)
      (meta-log-peer-sync-rpc--set-state 'waiting)
      (setq meta-log-peer-sync-rpc--timer
            (run-at-time delay nil #'meta-log-peer-sync-rpc--start-again)))))

(defun meta-log-peer-sync-rpc--start-again ()
  "Start the sidecar again; a failure to do so counts as a failed start."
  (condition-case problem
      (meta-log-peer-sync-rpc--launch)
    (error
     (setq meta-log-peer-sync-rpc--last-line (error-message-string problem))
     (cl-incf meta-log-peer-sync-rpc--failures)
     (meta-log-peer-sync-rpc--restart-later))))

(defun meta-log-peer-sync-rpc--give-up ()
  "Stop trying, say why, and fail what waits."
  (setq meta-log-peer-sync-rpc--failure
        (format "the sidecar does not start%s; M-x meta-log-peer-sync-start tries again"
                (if (string-empty-p meta-log-peer-sync-rpc--last-line) ""
                  (concat ": " meta-log-peer-sync-rpc--last-line))))
  (meta-log-peer-sync-rpc--set-state 'failed)
  (message "meta-log-peer-sync: %s" meta-log-peer-sync-rpc--failure)
  (meta-log-peer-sync-rpc--fail-queue meta-log-peer-sync-rpc--failure "sidecar-failed"))

(defun meta-log-peer-sync-rpc-running-p ()
  "Return non-nil while the sidecar is running or being started."
  (memq meta-log-peer-sync-rpc--state '(starting ready waiting)))

(defun meta-log-peer-sync-rpc-state ()
  "Return `stopped', `starting', `ready', `waiting' or `failed'."
  meta-log-peer-sync-rpc--state)

(defun meta-log-peer-sync-rpc-status ()
  "Return the last status that the sidecar told, a plist, or nil."
  meta-log-peer-sync-rpc--status)

(defun meta-log-peer-sync-rpc-failure ()
  "Return why the sidecar was given up, a string, or nil."
  (and (eq meta-log-peer-sync-rpc--state 'failed) meta-log-peer-sync-rpc--failure))

(defun meta-log-peer-sync-rpc-arguments ()
  "Return the plist that the sidecar was last started with."
  meta-log-peer-sync-rpc--arguments)

(defun meta-log-peer-sync-rpc-start (arguments)
  "Start the sidecar with ARGUMENTS; return at once.
ARGUMENTS is a plist of strings or nil: `:state-dir', `:policy',
`:broker-url', `:username', `:password'.  When it runs already,
nothing happens."
  (unless (meta-log-peer-sync-rpc-running-p)
    (setq meta-log-peer-sync-rpc--arguments arguments
          meta-log-peer-sync-rpc--failures 0
          meta-log-peer-sync-rpc--restarts 0
          meta-log-peer-sync-rpc--failure nil)
    (add-hook 'kill-emacs-hook #'meta-log-peer-sync-rpc--at-exit)
    (if (process-live-p meta-log-peer-sync-rpc--process)
        ;; The one that was stopped has not ended yet.
        (setq meta-log-peer-sync-rpc--again t)
      (meta-log-peer-sync-rpc--launch))))

(defun meta-log-peer-sync-rpc-stop ()
  "Let the sidecar end, and do not restart it; return at once.
It ends by itself at the end of its input; it is ended by force when it
has not done so after three seconds."
  (meta-log-peer-sync-rpc--cancel-timer)
  (setq meta-log-peer-sync-rpc--again nil)
  (let ((process meta-log-peer-sync-rpc--process))
    (meta-log-peer-sync-rpc--set-state 'stopped)
    (meta-log-peer-sync-rpc--fail-queue "the sidecar was stopped" "sidecar-stopped")
    (when (process-live-p process)
      (ignore-errors (process-send-eof process))
      (run-at-time 3 nil (lambda ()
                           (when (process-live-p process)
                             (delete-process process)))))))

(defun meta-log-peer-sync-rpc-restart (&optional arguments)
  "End the sidecar and start it again, with ARGUMENTS or as it was started.
Requests that wait are kept."
  (let ((arguments (or arguments meta-log-peer-sync-rpc--arguments))
        (waiting meta-log-peer-sync-rpc--queue))
    (setq meta-log-peer-sync-rpc--queue nil)
    (meta-log-peer-sync-rpc-stop)
    (setq meta-log-peer-sync-rpc--queue waiting)
    (meta-log-peer-sync-rpc-start arguments)))

(defun meta-log-peer-sync-rpc--at-exit ()
  "Close the input of the sidecar, so that it ends with this Emacs."
  (meta-log-peer-sync-rpc--cancel-timer)
  (setq meta-log-peer-sync-rpc--state 'stopped)
  (when (process-live-p meta-log-peer-sync-rpc--process)
    (ignore-errors (process-send-eof meta-log-peer-sync-rpc--process))))

;;;; Requests

(defun meta-log-peer-sync-rpc--object (params)
  "Return PARAMS, a plist, as what is encoded as a JSON object.
Entries whose value is nil are left out."
  (or (cl-loop for (key value) on params by #'cddr
               when value append (list key value))
      (make-hash-table)))

(defun meta-log-peer-sync-rpc-request (method params &optional success error)
  "Ask the sidecar METHOD, a string, with PARAMS, a plist; return at once.
Entries of PARAMS that are nil are left out; false is `:json-false'.
SUCCESS is called with the result; ERROR with a plist of `:code',
`:message' and `:data'.  Without ERROR the message is shown.  The request
waits until the sidecar is ready, and survives its restarts when it is
safe to repeat.  Return an object for `meta-log-peer-sync-rpc-wait'."
  (let ((params (meta-log-peer-sync-rpc--object params)))
    (condition-case nil
        (ignore (json-serialize params :null-object nil :false-object :json-false))
      (error (user-error "This is not text that can be sent: %S"
                         (truncate-string-to-width (format "%S" params) 80))))
    (let ((request (meta-log-peer-sync-rpc--make-request
                    :method method :params params :success success :error error)))
      (unless (or (meta-log-peer-sync-rpc-running-p) meta-log-peer-sync-rpc--again)
        (user-error "%s" (or (meta-log-peer-sync-rpc-failure)
                             "The sidecar is not running; M-x meta-log-peer-sync-start")))
      (setq meta-log-peer-sync-rpc--queue
            (nconc meta-log-peer-sync-rpc--queue (list request)))
      (meta-log-peer-sync-rpc--send-queue)
      request)))

(defun meta-log-peer-sync-rpc--send-queue ()
  "Send the requests that wait, as long as there is room."
  (while (and meta-log-peer-sync-rpc--queue
              (eq meta-log-peer-sync-rpc--state 'ready)
              (process-live-p meta-log-peer-sync-rpc--process)
              (< (length meta-log-peer-sync-rpc--in-flight)
                 meta-log-peer-sync-rpc--in-flight-limit))
    (meta-log-peer-sync-rpc--send (pop meta-log-peer-sync-rpc--queue))))

(defun meta-log-peer-sync-rpc--send (request)
  "Send REQUEST; put its answer into the inbox."
  (let* ((generation meta-log-peer-sync-rpc--generation)
         (answer (lambda (state)
                   (lambda (value)
                     (meta-log-peer-sync-rpc--later
                      (lambda ()
                        (meta-log-peer-sync-rpc--answered generation request state value)))))))
    (push request meta-log-peer-sync-rpc--in-flight)
    (condition-case nil
        (jsonrpc-async-request
         meta-log-peer-sync-rpc--connection
         (intern (meta-log-peer-sync-rpc--request-method request))
         (meta-log-peer-sync-rpc--request-params request)
         :timeout nil
         :success-fn (funcall answer 'done) :error-fn (funcall answer 'failed))
      ;; The process is gone; its sentinel puts the request back.
      (error nil))))

(defun meta-log-peer-sync-rpc--answered (generation request state value)
  "REQUEST, sent to process GENERATION, ended with STATE and VALUE."
  (when (and (= generation meta-log-peer-sync-rpc--generation)
             (memq request meta-log-peer-sync-rpc--in-flight)
             ;; The sentinel of jsonrpc answers everything with -1; what
             ;; can be repeated will be.
             (not (and (eq state 'failed) (eql (plist-get value :code) -1))))
    (setq meta-log-peer-sync-rpc--in-flight
          (delq request meta-log-peer-sync-rpc--in-flight))
    (meta-log-peer-sync-rpc--finish request state value)
    (meta-log-peer-sync-rpc--send-queue)))

(defun meta-log-peer-sync-rpc--finish (request state value)
  "End REQUEST with STATE, `done' or `failed', and VALUE."
  (setf (meta-log-peer-sync-rpc--request-state request) state
        (meta-log-peer-sync-rpc--request-value request) value)
  (let ((function (if (eq state 'done)
                      (or (meta-log-peer-sync-rpc--request-success request) #'ignore)
                    (or (meta-log-peer-sync-rpc--request-error request)
                        (lambda (problem)
                          (message "meta-log-peer-sync: %s"
                                   (meta-log-peer-sync-rpc-error-text problem)))))))
    (meta-log-peer-sync-rpc--guarded function value)))

(defun meta-log-peer-sync-rpc-error-text (problem)
  "Return PROBLEM, the plist of an error, as one line with its cure."
  (let* ((data (plist-get problem :data))
         (hint (and (listp data) (plist-get data :hint))))
    (concat (or (plist-get problem :message) "unknown error")
            (and (stringp hint) (not (string-empty-p hint)) (concat " (" hint ")")))))

(defun meta-log-peer-sync-rpc-wait (method params &optional seconds)
  "Ask METHOD with PARAMS and return the result, within SECONDS (default 5).
Signal a `user-error' when it is refused or takes longer."
  (let* ((seconds (or seconds 5))
         (end (+ (float-time) seconds))
         (request (meta-log-peer-sync-rpc-request method params nil #'ignore)))
    (while (and (eq (meta-log-peer-sync-rpc--request-state request) 'waiting)
                (< (float-time) end))
      (accept-process-output nil 0.02)
      (meta-log-peer-sync-rpc--empty-inbox))
    (pcase (meta-log-peer-sync-rpc--request-state request)
      ('done (meta-log-peer-sync-rpc--request-value request))
      ('failed (user-error "%s" (meta-log-peer-sync-rpc-error-text
                                 (meta-log-peer-sync-rpc--request-value request))))
      (_ (setq meta-log-peer-sync-rpc--queue
               (delq request meta-log-peer-sync-rpc--queue))
         (user-error "The sidecar did not answer within %s s; M-x \
meta-log-peer-sync-status says how it is" seconds)))))

;;;; Events

(defun meta-log-peer-sync-rpc--receive (generation method params)
  "Put the events of notification METHOD with PARAMS into the inbox.
GENERATION is the number of the process that sent it."
  (when (and (eq method 'events) (= generation meta-log-peer-sync-rpc--generation))
    (mapc (lambda (event)
            (meta-log-peer-sync-rpc--later
             (lambda () (funcall meta-log-peer-sync-rpc-event-function event))))
          (plist-get params :events))))

(defun meta-log-peer-sync-rpc-refresh-status (&optional function)
  "Ask for the status; then call FUNCTION, if any, with it."
  (meta-log-peer-sync-rpc-request
   "status" nil
   (lambda (status)
     (setq meta-log-peer-sync-rpc--status status)
     (meta-log-peer-sync-rpc--guarded meta-log-peer-sync-rpc-state-function)
     (when function (funcall function status)))
   #'ignore))

;;;###autoload
(defun meta-log-peer-sync-rpc-show-log ()
  "Show what the sidecar has written to standard error."
  (interactive)
  (meta-log-peer-sync-rpc--log nil "")
  (pop-to-buffer meta-log-peer-sync-rpc--log-name))

(defun meta-log-peer-sync-rpc-unload-function ()
  "End the sidecar and leave nothing behind."
  (meta-log-peer-sync-rpc-stop)
  (remove-hook 'kill-emacs-hook #'meta-log-peer-sync-rpc--at-exit)
  (when meta-log-peer-sync-rpc--inbox-timer
    (cancel-timer meta-log-peer-sync-rpc--inbox-timer))
  (when (get-buffer meta-log-peer-sync-rpc--log-name)
    (kill-buffer meta-log-peer-sync-rpc--log-name))
  nil)

(provide 'meta-log-peer-sync-rpc)
;;; meta-log-peer-sync-rpc.el ends here
