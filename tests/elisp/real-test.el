;;; real-test.el --- The package with the real sidecar  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; One peer, its own sidecar from this working tree, and a broker that does
;; not answer: everything that has to work alone.  Several peers, and real
;; brokers, are in tests/integration.  MLPS_PYTHON is a Python that has the
;; dependencies; without it the tests are skipped.

;;; Code:

(require 'test-helper)
(require 'meta-log-peer-sync-documents)

(defmacro real-test-with-sidecar (&rest body)
  "Run BODY with the real sidecar; `folder' is a folder of its own."
  (declare (indent 0))
  `(let ((python (getenv "MLPS_PYTHON")))
     (skip-unless (and python (file-executable-p python)))
     (test-helper-call
      (lambda (folder)
        (ignore folder)
        (setenv "PYTHONPATH" (expand-file-name "../.." test-helper-folder))
        (setenv "META_LOG_MQTT_BROKER" "mqtt://127.0.0.1:1")
        (setenv "XDG_RUNTIME_DIR" folder)
        (let ((meta-log-peer-sync-rpc-program (list python "-m" "federation"))
              (inhibit-interaction t))
          ,@body)))))

(defun real-test-synced ()
  "Return the synced folder."
  (expand-file-name "synced/" meta-log-peer-sync-state-directory))

(ert-deftest real-test-identity ()
  (real-test-with-sidecar
    (let ((identity (meta-log-identity-create-peer)) signature)
      (should (string-match-p "\\`peer-[a-z2-7]\\{52\\}\\'"
                              (meta-log-identity-get-peer-id identity)))
      (setq signature (meta-log-identity-sign-message identity "grüße"))
      (should (string-match-p "\\`0x[0-9a-f]\\{128\\}\\'" signature))
      (should (eq t (meta-log-identity-verify-peer
                     (meta-log-identity-get-public-key identity) signature "grüße")))
      (should-not (meta-log-identity-verify-peer
                   (meta-log-identity-get-public-key identity) signature "other"))
      (let* ((file (expand-file-name "second" folder))
             (second (meta-log-identity-create-peer "nick" file))
             (loaded (meta-log-identity-load-peer file)))
        (should-not (equal (meta-log-identity-get-peer-id second)
                           (meta-log-identity-get-peer-id identity)))
        (should (equal (meta-log-identity-get-peer-id second)
                       (meta-log-identity-get-peer-id loaded)))
        (should (= #o600 (file-modes file)))
        (setq signature (meta-log-identity-sign-message loaded '(:a 1)))
        (should (eq t (meta-log-identity-verify-peer
                       (meta-log-identity-get-public-key second) signature '(:a 1))))
        (should-error (meta-log-identity-create-peer nil file) :type 'user-error)))))

(ert-deftest real-test-demo-and-documents ()
  (real-test-with-sidecar
    (let ((file (expand-file-name "a.canvasl" folder)))
      (write-region "{\"id\":1}\n" nil file nil 'silent)
      (meta-log-peer-sync-demo-init)
      (meta-log-peer-sync-demo-sync-canvasl file)
      (should (test-helper-until (file-exists-p (expand-file-name "a.canvasl"
                                                                  (real-test-synced)))))
      (should (equal (meta-log-peer-sync-demo-discover-peers) nil))
      (should (test-helper-said "\\`Found 0 peer(s):"))
      (should (equal (plist-get (meta-log-peer-sync-rpc-wait "status" nil) :policy)
                     "announced"))
      (write-region "{\"id\":2}\n" nil file nil 'silent)
      (meta-log-peer-sync-demo-sync-canvasl file)
      (should (test-helper-until
               (= 2 (length (plist-get (meta-log-peer-sync-rpc-wait
                                        "documents.history" '(:file "a.canvasl"))
                                       :revisions)))))
      (save-window-excursion
        (with-current-buffer (meta-log-peer-sync-documents)
          (should (test-helper-until (string-match-p "a\\.canvasl" (buffer-string))))
          (goto-char (point-min))
          (meta-log-peer-sync-documents-open)
          (should (eq major-mode 'meta-log-peer-sync-guard-file-mode))
          (should (equal (buffer-string) "{\"id\":2}\n"))
          (kill-buffer))
        (with-current-buffer (meta-log-peer-sync-history "a.canvasl")
          (should (test-helper-until (= 2 (count-lines (point-min) (point-max)))))
          (goto-char (point-min))
          (forward-line 1)
          (should (test-helper-answering t (test-helper-press "r")))
          (should (test-helper-until
                   (with-temp-buffer
                     (insert-file-contents (expand-file-name "a.canvasl"
                                                             (real-test-synced)))
                     (equal (buffer-string) "{\"id\":1}\n")))))
        (with-current-buffer (meta-log-peer-sync-conflicts)
          (should (test-helper-until (test-helper-said "There are no conflicts"))))))))

(ert-deftest real-test-refusals-name-the-cure ()
  (real-test-with-sidecar
    (let ((file (expand-file-name "a.exe" folder)))
      (write-region "x" nil file nil 'silent)
      (meta-log-peer-sync-start)
      (meta-log-peer-sync-sync-file file)
      (should (test-helper-until (test-helper-said "a\\.exe was not synced: .*(.*)")))
      (meta-log-peer-sync-accept-peer (concat "peer-" (make-string 52 ?a)))
      (should (test-helper-until (test-helper-said "has not announced itself"))))))

(ert-deftest real-test-killed-and-stopped ()
  (real-test-with-sidecar
    (let ((file (expand-file-name "a.txt" folder)) pid done)
      (write-region "x" nil file nil 'silent)
      (meta-log-peer-sync-start)
      (should (test-helper-until (eq (meta-log-peer-sync-rpc-state) 'ready)))
      (setq pid (process-id meta-log-peer-sync-rpc--process))
      (signal-process pid 'KILL)
      (meta-log-peer-sync-core-sync-file file (lambda (_) (setq done t)))
      (should (test-helper-until done))
      (should (/= pid (process-id meta-log-peer-sync-rpc--process)))
      (setq pid (process-id meta-log-peer-sync-rpc--process))
      (meta-log-peer-sync-stop)
      (should (test-helper-until (not (process-attributes pid)) 3)))))

(ert-deftest real-test-blackboard ()
  (real-test-with-sidecar
    (meta-log-federation-init)
    (let ((board (meta-log-federation-sync-blackboard)))
      (should (equal board (expand-file-name "federation-blackboard.org"
                                             meta-log-peer-sync-state-directory)))
      (should (test-helper-until (file-exists-p (expand-file-name "federation-blackboard.org"
                                                                  (real-test-synced)))))
      (with-temp-buffer
        (insert-file-contents board)
        (should (search-forward (concat "*** Peer: " (meta-log-identity-get-peer-id nil))
                                nil t))))))

(provide 'real-test)
;;; real-test.el ends here
