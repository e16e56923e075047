;;; test-helper.el --- What the tests of the package share  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; A test runs with a state directory, a home and a sidecar of its own, and
;; waits on conditions with a deadline, never for a fixed time.

;;; Code:

(require 'cl-lib)
(require 'ert)
(require 'json)

(defconst test-helper-folder
  (file-name-directory (or load-file-name buffer-file-name)))
(add-to-list 'load-path (expand-file-name "../../elisp" test-helper-folder))
(require 'meta-log-peer-sync)

(defvar test-helper-log nil "The log of the fake sidecar.")
(defvar test-helper-messages nil "What `message' has shown, newest first.")

(defmacro test-helper-until (form &optional seconds)
  "Wait until FORM is non-nil, for SECONDS at most (20), and return it."
  `(let ((end (+ (float-time) (or ,seconds 20))) value)
     (while (and (not (setq value ,form)) (< (float-time) end))
       (accept-process-output nil 0.01))
     value))

(defun test-helper-log ()
  "Return the entries of the fake sidecar's log, plists, oldest first."
  (when (file-exists-p test-helper-log)
    (with-temp-buffer
      (insert-file-contents test-helper-log)
      (mapcar (lambda (line)
                (json-parse-string line :object-type 'plist :null-object nil
                                   :false-object :json-false))
              (split-string (buffer-string) "\n" t)))))

(defun test-helper-logged (method)
  "Return the parameters of each request METHOD in the log."
  (cl-loop for entry in (test-helper-log)
           when (equal (plist-get entry :method) method)
           collect (plist-get entry :params)))

(defun test-helper-starts ()
  "Return how often the fake sidecar was started."
  (cl-count-if (lambda (entry) (plist-member entry :start)) (test-helper-log)))

(defun test-helper-emit (&rest events)
  "Let the fake sidecar send EVENTS, plists."
  (meta-log-mqtt-publish "test/events" (json-encode (vconcat events))))

(defun test-helper-said (regexp)
  "Return non-nil when a message matched REGEXP."
  (cl-find-if (lambda (text) (string-match-p regexp text)) test-helper-messages))

(defun test-helper--record (function format &rest arguments)
  "Call FUNCTION, which is `message', and remember what it shows.
FORMAT and ARGUMENTS are its arguments."
  (when format (push (apply #'format-message format arguments) test-helper-messages))
  (apply function format arguments))

(defun test-helper-reset ()
  "Bring the package into the state that it has after loading."
  (setq meta-log-peer-sync-rpc--queue nil
        meta-log-peer-sync-rpc--in-flight nil
        meta-log-peer-sync-rpc--last-line ""
        meta-log-peer-sync-core-identity nil
        meta-log-peer-sync-demo--identity nil
        meta-log-peer-sync-events--reported nil
        meta-log-mqtt--others nil
        meta-log-mqtt--subscriptions nil
        meta-log-mqtt--subscribed nil
        meta-log-peer-sync-core--saved nil
        meta-log-peer-sync-core--saving nil
        meta-log-peer-sync-core--stopped nil
        meta-log-peer-sync-core--idle-told nil
        meta-log-peer-sync-core--more-endings nil
        meta-log-peer-sync-edit-folder nil
        meta-log-peer-sync-edit-shared nil
        meta-log-peer-sync-core--folders nil
        meta-log-peer-sync-guard--roots nil
        meta-log-peer-sync-guard--exempt nil
        meta-log-peer-sync-core--held-told nil)
  (meta-log-peer-sync-progress-unload-function)
  (setq meta-log-peer-sync-progress--bursts nil
        meta-log-peer-sync-progress--gathered nil)
  (dolist (buffer (buffer-list))
    (when (with-current-buffer buffer (derived-mode-p 'meta-log-peer-sync-list-mode))
      (kill-buffer buffer)))
  (clrhash meta-log-peer-sync-core-peers)
  (clrhash meta-log-peer-sync-core--warned)
  (meta-log-peer-sync-guard-mode -1))

(defun test-helper-call (function)
  "Call FUNCTION with a folder of its own, which is removed afterwards."
  (let* ((folder (file-name-as-directory
                  (file-truename (make-temp-file "mlps-test" t))))
         (meta-log-peer-sync-state-directory (expand-file-name "state" folder))
         (process-environment (copy-sequence process-environment))
         (test-helper-log (expand-file-name "fake.log" folder))
         (test-helper-messages nil))
    (dolist (variable '("META_LOG_MQTT_BROKER" "MQTT_BROKER_HOST" "MQTT_BROKER_PORT"
                        "MQTT_USERNAME" "MQTT_PASSWORD" "META_LOG_FEDERATION_BLACKBOARD"))
      (setenv variable nil))
    (advice-add 'message :around #'test-helper--record)
    (unwind-protect
        (progn (test-helper-reset) (funcall function folder))
      (meta-log-peer-sync-rpc-stop)
      (test-helper-until (not (process-live-p meta-log-peer-sync-rpc--process)))
      (test-helper-reset)
      (advice-remove 'message #'test-helper--record)
      (delete-directory folder t))))

(defmacro test-helper-with-fake (&rest body)
  "Run BODY with the fake sidecar; `folder' is a folder of its own."
  (declare (indent 0))
  `(test-helper-call
    (lambda (folder)
      (ignore folder)
      (setenv "FAKE_LOG" test-helper-log)
      (let ((meta-log-peer-sync-rpc-program
             (list (or (executable-find "python3") "python3")
                   (expand-file-name "fake_sidecar.py" test-helper-folder))))
        ,@body))))

;;;; With the real sidecar

(defmacro test-helper-with-real (&rest body)
  "Run BODY with the real sidecar, and a broker that does not answer.
`folder' is a folder of its own, `synced' the folder of the documents."
  (declare (indent 0))
  `(let ((python (getenv "MLPS_PYTHON")))
     (skip-unless (and python (file-executable-p python)))
     (test-helper-call
      (lambda (folder)
        (setenv "PYTHONPATH" (expand-file-name "../.." test-helper-folder))
        (setenv "META_LOG_MQTT_BROKER" "mqtt://127.0.0.1:1")
        (setenv "XDG_RUNTIME_DIR" folder)
        (let ((meta-log-peer-sync-rpc-program (list python "-m" "federation"))
              (synced (expand-file-name "synced/" meta-log-peer-sync-state-directory)))
          (ignore synced)
          ,@body)))))

(defun test-helper-text (file)
  "Return the bytes of FILE, or nil when there is none."
  (when (file-exists-p file)
    (with-temp-buffer
      (set-buffer-multibyte nil)
      (insert-file-contents-literally file)
      (buffer-string))))

(defun test-helper-sync (file text &optional base)
  "Write TEXT to FILE, sync it, and return the answer.
BASE is the text that it was made from, if that is to be told."
  (let (answer (coding-system-for-write 'utf-8-unix))
    (with-temp-file file (insert text))
    (meta-log-peer-sync-core-sync-file
     file (lambda (value) (setq answer value))
     (and base (secure-hash 'sha256 (encode-coding-string base 'utf-8-unix))))
    (should (test-helper-until answer))
    answer))

(defmacro test-helper-answering (answer &rest body)
  "Run BODY with `y-or-n-p' that returns ANSWER; return the questions."
  (declare (indent 1))
  `(let (questions)
     (cl-letf (((symbol-function 'y-or-n-p)
                (lambda (prompt) (push prompt questions) ,answer)))
       ,@body)
     (nreverse questions)))

(defun test-helper-press (key)
  "Do what KEY does in the current buffer."
  (call-interactively (lookup-key (current-local-map) (kbd key))))

(defun test-helper-to (regexp)
  "Move point to the line with REGEXP, which comes within some seconds."
  (should (test-helper-until (string-match-p regexp (buffer-string))))
  (goto-char (point-min))
  (re-search-forward regexp)
  (beginning-of-line))

(provide 'test-helper)
;;; test-helper.el ends here
