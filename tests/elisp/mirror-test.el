;;; mirror-test.el --- The git mirror  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; With the real sidecar and the real git.

;;; Code:

(require 'test-helper)
(require 'meta-log-peer-sync-mirror)

(defmacro mirror-test-with (&rest body)
  "Run BODY with a peer and a file a.txt; `place' is where a mirror may be."
  (declare (indent 0))
  `(test-helper-with-real
     (skip-unless (executable-find "git"))
     (meta-log-peer-sync-start)
     (let ((place (expand-file-name "git" folder)) (file (expand-file-name "a.txt" folder)))
       (test-helper-sync file "one\n")
       (test-helper-sync file "one\n%s\n")
       ,@body)))

(defun mirror-test-log (folder)
  "Return the subjects of the commits of the repository FOLDER."
  (let ((default-directory (file-name-as-directory folder)))
    (ignore-errors (process-lines "git" "log" "--format=%s" "--" "a.txt"))))

(ert-deftest mirror-test-the-log-of-a-document ()
  (mirror-test-with
    (should (eq t (meta-log-peer-sync-mirror-log "a.txt")))
    (should (test-helper-until (test-helper-said "There is no git mirror; M-x ")))
    (should (eq t (meta-log-peer-sync-mirror place)))
    (should (test-helper-until (= 2 (length (mirror-test-log place)))))
    (should (test-helper-until (test-helper-said "git follows the documents")))
    (should (test-helper-until (equal (test-helper-text (expand-file-name "a.txt" place))
                                      "one\n%s\n")))
    (save-window-excursion
      (should (eq t (meta-log-peer-sync-mirror-log file)))
      (should (test-helper-until
               (let ((buffer (get-buffer "*vc-change-log*")))
                 (and buffer
                      (with-current-buffer buffer
                        (= 2 (how-many "a\\.txt: revision " (point-min) (point-max)))))))))
    (with-current-buffer "*vc-change-log*"
      (should (string-match-p "peer-" (buffer-string)))
      (let ((process (get-buffer-process (current-buffer))))
        (should (test-helper-until (not (process-live-p process)))))
      (kill-buffer))
    ;; What lies there was written by others: it opens inert.
    (let ((buffer (find-file-noselect (expand-file-name "a.txt" place))))
      (should (meta-log-peer-sync-guard-buffer-p buffer))
      (kill-buffer buffer))
    (should (eq t (meta-log-peer-sync-mirror-status)))
    (should (eq t (meta-log-peer-sync-mirror-off)))
    (should (test-helper-until (test-helper-said "\\`No git repository follows")))
    ;; After a restart it is protected before anybody asks.
    (meta-log-peer-sync-mirror place)
    (should (test-helper-until (equal place (plist-get (meta-log-peer-sync-rpc-wait
                                                        "mirror.status" nil)
                                                       :path))))
    (meta-log-peer-sync-restart)
    (setq meta-log-peer-sync-guard--roots nil)
    (should (test-helper-until (meta-log-peer-sync-guard-file-p
                                (expand-file-name "a.txt" place))))))

(ert-deftest mirror-test-what-is-refused ()
  (mirror-test-with
    (should-error (meta-log-peer-sync-mirror "/ssh:nowhere:/git") :type 'user-error)
    (make-directory place)
    (write-region "mine" nil (expand-file-name "mine" place))
    (meta-log-peer-sync-mirror place)
    (should (test-helper-until (test-helper-said "is not a mirror made here")))
    (should (equal (directory-files place nil "^[^.]") '("mine")))))

(ert-deftest mirror-test-the-summary ()
  (should (equal (meta-log-peer-sync-mirror--summary '(:path nil :waiting 0))
                 "No git repository follows the documents"))
  (should (equal (meta-log-peer-sync-mirror--summary '(:path "/a\n" :waiting 1))
                 "/a? follows the documents, 1 revision to be recorded"))
  (should (equal (meta-log-peer-sync-mirror--summary
                  '(:path "/a" :waiting 0 :error (:message "no\nroom" :hint "free some")))
                 "The git mirror lags behind: no?room; free some")))

(provide 'mirror-test)
;;; mirror-test.el ends here
