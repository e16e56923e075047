;;; command-test.el --- What commands ask, say and refuse  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; With the fake sidecar: what a person sees when there is no broker, when
;; the configuration is wrong, when the peer was stopped; what asks before
;; it acts, and what is refused.

;;; Code:

(require 'test-helper)
(require 'meta-log-peer-sync-documents)
(require 'meta-log-peer-sync-peers)

(defconst command-test-other (concat "peer-" (make-string 52 ?b)))

(defun command-test-ready ()
  "Wait until the sidecar is ready and the peers are known."
  (test-helper-until (and (eq (meta-log-peer-sync-rpc-state) 'ready)
                          (> (hash-table-count meta-log-peer-sync-core-peers) 0))))

(defun command-test-help ()
  "Return the help text of the mode line."
  (get-text-property 1 'help-echo meta-log-peer-sync-modeline))

(ert-deftest command-test-no-broker-says-why ()
  (test-helper-with-fake
    (setenv "FAKE_MODE" "nobroker")
    (should (string-match-p "not running" (or (command-test-help) "not running")))
    (meta-log-peer-sync-start)
    (should (command-test-ready))
    (should (equal meta-log-peer-sync-modeline " Sync:!"))
    (should (get 'meta-log-peer-sync-modeline 'risky-local-variable))
    (let ((reason "refused: bad user name\\?%s or password"))
      (should (string-match-p (concat "No broker at mqtt://localhost:1883: " reason)
                              (command-test-help)))
      (should (string-match-p (concat "(connecting: " reason ")")
                              (meta-log-peer-sync-status)))
      (should (test-helper-until (test-helper-said (concat "no broker at .*: " reason ";")))))
    ;; It is said once, and the sign follows the broker without any event.
    (should (test-helper-until meta-log-peer-sync-core--broker-timer))
    (write-region "" nil (concat test-helper-log ".broker") nil 'silent)
    (should (test-helper-until (equal meta-log-peer-sync-modeline " Sync:1")))
    (should (string-match-p "\\`1 peer online, by mqtt://localhost:1883" (command-test-help)))
    (should-not meta-log-peer-sync-core--broker-timer)
    (should-not (string-match-p "refused" (meta-log-peer-sync-status)))
    (should (= 1 (cl-count-if (lambda (text) (string-match-p "no broker at" text))
                              test-helper-messages)))))

(ert-deftest command-test-a-lost-broker-says-why ()
  (test-helper-with-fake
    (meta-log-peer-sync-start)
    (should (command-test-ready))
    (should (equal meta-log-peer-sync-modeline " Sync:1"))
    (setenv "FAKE_MODE" nil)
    (test-helper-emit '(:event "broker-lost" :time "t" :broker "u" :reason "keepalive timeout"))
    (should (test-helper-until (equal meta-log-peer-sync-modeline " Sync:!")))
    (should (string-match-p "keepalive timeout" (command-test-help)))
    (meta-log-peer-sync-stop)
    (should (equal meta-log-peer-sync-modeline " Sync:-"))
    (should (string-match-p "meta-log-peer-sync-start" (command-test-help)))))

(ert-deftest command-test-a-wrong-configuration-is-not-tried-again ()
  (test-helper-with-fake
    (setenv "FAKE_MODE" "refused")
    (meta-log-peer-sync-start)
    (should (test-helper-until (eq (meta-log-peer-sync-rpc-state) 'failed)))
    (should (= 1 (test-helper-starts)))
    (should (test-helper-said "does not start: the URL is wrong (write mqtt://HOST:PORT); M-x"))
    (should (string-match-p "the URL is wrong" (command-test-help)))
    (should (string-match-p "the URL is wrong" (meta-log-peer-sync-status)))
    (setenv "FAKE_MODE" nil)
    (meta-log-peer-sync-start)
    (should (command-test-ready))))

(ert-deftest command-test-stopped-stays-stopped ()
  (test-helper-with-fake
    (let ((file (expand-file-name "a.txt" folder)))
      (write-region "one" nil file nil 'silent)
      (meta-log-peer-sync-start)
      (with-current-buffer (find-file-noselect file)
        (meta-log-peer-sync-mode 1)
        (should (test-helper-until (= 1 (length (test-helper-logged "sync.file")))))
        (meta-log-peer-sync-stop)
        (dotimes (_ 3) (insert "x") (save-buffer))
        (meta-log-peer-sync-mode -1)
        (meta-log-peer-sync-mode 1)
        (should-not (meta-log-peer-sync-rpc-running-p))
        (should (= 1 (test-helper-starts)))
        (should (= 1 (cl-count-if
                      (lambda (text) (string-match-p "goes out after M-x meta-log-peer-sync-start"
                                                     text))
                      test-helper-messages)))
        (meta-log-peer-sync-start)
        ;; The first one may have lost its answer, and be sent again.
        (should (test-helper-until (<= 2 (length (test-helper-logged "sync.file")))))
        (should (= 2 (test-helper-starts)))
        (kill-buffer)))))

(ert-deftest command-test-mode-survives-a-revert ()
  (test-helper-with-fake
    (let ((file (expand-file-name "a.org" folder)))
      (write-region "one" nil file nil 'silent)
      (meta-log-peer-sync-start)
      (with-current-buffer (find-file-noselect file)
        (meta-log-peer-sync-mode 1)
        (revert-buffer t t)
        (text-mode)
        (should meta-log-peer-sync-mode)
        (insert "x")
        (save-buffer)
        (should (test-helper-until (= 2 (length (test-helper-logged "sync.file")))))
        (meta-log-peer-sync-mode -1)
        (revert-buffer t t)
        (should-not meta-log-peer-sync-mode)
        (insert "x")
        (save-buffer)
        (should-not (memq 'meta-log-peer-sync--after-save after-save-hook))
        (should (= 2 (length (test-helper-logged "sync.file"))))
        (kill-buffer)))))

(ert-deftest command-test-mode-is-refused-for-what-cannot-be-shared ()
  (test-helper-with-fake
    (cl-flet ((refused (name)
                (let ((file (expand-file-name name folder)))
                  (write-region "x" nil file nil 'silent)
                  (with-current-buffer (find-file-noselect file)
                    (prog1 (condition-case problem
                               (progn (meta-log-peer-sync-mode 1) nil)
                             (user-error (error-message-string problem)))
                      (should (eq (null meta-log-peer-sync-mode)
                                  (null (memq 'meta-log-peer-sync--after-save
                                              after-save-hook))))
                      (meta-log-peer-sync-mode -1)
                      (set-buffer-modified-p nil)
                      (kill-buffer))))))
      (dolist (name '("a.exe" "a" "a.csv"))
        (should (string-match-p "\\.canvasl .*once the peer is started" (refused name))))
      (should-not (meta-log-peer-sync-rpc-running-p))
      (should-not (refused "a.TXT"))
      (should (test-helper-until meta-log-peer-sync-core--more-endings))
      (should-not (refused "a.csv"))
      (should (string-match-p "files.extensions" (refused "a.exe")))
      (with-temp-buffer
        (should-error (meta-log-peer-sync-mode 1) :type 'user-error)
        (should-not meta-log-peer-sync-mode)))))

(ert-deftest command-test-another-persons-text-is-not-followed-silently ()
  (test-helper-with-fake
    (let ((file (expand-file-name "theirs.txt" folder)))
      (write-region "x" nil file nil 'silent)
      (meta-log-peer-sync-start)
      (should (command-test-ready))
      (meta-log-peer-sync-sync-file file)
      (should (test-helper-until (test-helper-said "theirs.txt is shared already; your file \
follows the version of b, which M-x meta-log-peer-sync-history")))
      (setq test-helper-messages nil)
      (with-current-buffer (find-file-noselect file)
        (meta-log-peer-sync-mode 1)
        (should (test-helper-until (test-helper-said "follows the version of b")))
        (meta-log-peer-sync-mode -1)
        (kill-buffer)))))

(defmacro command-test-answering (answer &rest body)
  "Run BODY with `y-or-n-p' that returns ANSWER; return the questions."
  (declare (indent 1))
  `(let (questions)
     (cl-letf (((symbol-function 'y-or-n-p)
                (lambda (prompt) (push prompt questions) ,answer)))
       ,@body)
     questions))

(defun command-test-to (text)
  "Move point to the line with TEXT, which comes within some seconds."
  (should (test-helper-until (string-match-p text (buffer-string))))
  (goto-char (point-min))
  (re-search-forward text)
  (beginning-of-line))

(ert-deftest command-test-restoring-asks-and-refreshes ()
  (test-helper-with-fake
    (meta-log-peer-sync-start)
    (should (command-test-ready))
    (with-current-buffer (meta-log-peer-sync-history "a.canvasl")
      (command-test-to "11111111")
      (should (equal (command-test-answering nil
                       (should-error (call-interactively (lookup-key (current-local-map) "r"))
                                     :type 'user-error))
                     '("Make 11111111 the newest version of a.canvasl, for everybody? ")))
      (should-not (test-helper-logged "documents.restore"))
      (command-test-answering t (call-interactively (lookup-key (current-local-map) "r")))
      (should (test-helper-until (= 2 (length (test-helper-logged "documents.history"))))))
    (with-current-buffer (meta-log-peer-sync-conflicts)
      (command-test-to "a\\.canvasl")
      (should (= 1 (length (command-test-answering t
                             (call-interactively (lookup-key (current-local-map) "r"))))))
      (should (test-helper-until (= 0 (buffer-size))))
      (should (= 2 (length (test-helper-logged "documents.restore")))))
    ;; A program is not asked.
    (should-not (command-test-answering (error "Asked")
                  (meta-log-peer-sync-restore "a.canvasl" (make-string 64 ?1))))))

(ert-deftest command-test-blocking-asks ()
  (test-helper-with-fake
    (meta-log-peer-sync-start)
    (should (command-test-ready))
    (with-current-buffer (meta-log-peer-sync-peers)
      (command-test-to "peer-bbb")
      (should (equal (command-test-answering nil
                       (should-error (call-interactively (lookup-key (current-local-map) "b"))
                                     :type 'user-error))
                     '("Block b, and drop what is held back of it? ")))
      (should-not (test-helper-logged "trust.block"))
      (command-test-answering t (call-interactively (lookup-key (current-local-map) "b")))
      (should (test-helper-until (test-helper-logged "trust.block"))))))

(ert-deftest command-test-restore-offers-what-there-is ()
  (test-helper-with-fake
    (meta-log-peer-sync-start)
    (should (command-test-ready))
    (let (offered)
      (cl-letf (((symbol-function 'completing-read)
                 (lambda (_prompt table &rest _)
                   (should (test-helper-until (all-completions "" table)))
                   (push (all-completions "" table) offered)
                   (car (all-completions "" table)))))
        (call-interactively #'meta-log-peer-sync-restore))
      (should (equal (cadr offered) '("a.canvasl")))
      (should (equal (mapcar (lambda (one) (substring one 0 12)) (car offered))
                     '("222222222222" "111111111111")))
      (should (string-suffix-p "  b  current" (caar offered))))
    (should (test-helper-until (test-helper-logged "documents.restore")))
    (should (equal (car (test-helper-logged "documents.restore"))
                   '(:file "a.canvasl" :revision "222222222222")))))

(ert-deftest command-test-one-and-many ()
  (test-helper-with-fake
    (should (equal (mapcar (lambda (number) (meta-log-peer-sync-core-count number "document"))
                           '(0 1 2 nil))
                   '("0 documents" "1 document" "2 documents" "0 documents")))
    (setenv "FAKE_HELD" "1")
    (meta-log-peer-sync-start)
    (should (command-test-ready))
    (should (test-helper-until (test-helper-said "\\`1 document of new peers is held back;")))
    (should (string-match-p "1 of 1 peer online, 2 documents;" (meta-log-peer-sync-status)))
    (meta-log-peer-sync-accept-peer command-test-other)
    (should (test-helper-until (test-helper-said "\\`b is accepted, 1 document taken\\'")))
    ;; Waiting is what a peer has not acknowledged, as the command line calls it.
    (with-current-buffer (meta-log-peer-sync-peers)
      (command-test-to "peer-bbb")
      (should (equal (mapcar #'car (append tabulated-list-format nil))
                     '("Peer" "State" "Trust" "Waiting" "Held" "Last seen" "Id")))
      (should (equal (aref (tabulated-list-get-entry) 3) "0"))
      (should (equal (aref (tabulated-list-get-entry) 4) "1"))
      (meta-log-peer-sync-peers-describe)
      (should (test-helper-said "0 waiting (not acknowledged yet), 1 document held back")))))

(provide 'command-test)
;;; command-test.el ends here
