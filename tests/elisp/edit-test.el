;;; edit-test.el --- Editing synced copies while others change them  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; The other writer is the real sidecar, which a second path of the same
;; document makes write to the synced folder, or a program that knows
;; nothing of locks.

;;; Code:

(require 'test-helper)

(defconst edit-test-base "one\ntwo\nthree\n")
(defconst edit-test-mine "mine\none\ntwo\nthree\n")
(defconst edit-test-theirs "one\ntwo\nthree\ntheirs\n")
(defconst edit-test-both "mine\none\ntwo\nthree\ntheirs\n")

(defvar edit-test-questions nil "Questions that were asked, newest first.")

(defmacro edit-test-with-sidecar (&rest body)
  "Run BODY with the real sidecar; `synced' is the file a.txt there.
It has `edit-test-base'.  `other' is another path of that document, and no question is asked but those
that `edit-test-questions' counts and answers with yes."
  (declare (indent 0))
  `(let ((python (getenv "MLPS_PYTHON")))
     (skip-unless (and python (file-executable-p python)))
     (test-helper-call
      (lambda (folder)
        (setenv "PYTHONPATH" (expand-file-name "../.." test-helper-folder))
        (setenv "META_LOG_MQTT_BROKER" "mqtt://127.0.0.1:1")
        (setenv "XDG_RUNTIME_DIR" folder)
        (let* ((meta-log-peer-sync-rpc-program (list python "-m" "federation"))
               (other (expand-file-name "a.txt" folder))
               (synced (expand-file-name "synced/a.txt" meta-log-peer-sync-state-directory))
               (edit-test-questions nil)
               (before (buffer-list)))
          (ignore synced)
          (cl-letf (((symbol-function 'yes-or-no-p) #'edit-test-ask)
                    ((symbol-function 'y-or-n-p) #'edit-test-ask)
                    ((symbol-function 'read-char-choice) #'edit-test-ask)
                    ((symbol-function 'read-answer)
                     (lambda (&rest arguments) (apply #'edit-test-ask arguments) "yes"))
                    ((symbol-function 'ask-user-about-lock) #'edit-test-ask))
            (unwind-protect
                (progn
                  (edit-test-put other edit-test-base)
                  (meta-log-peer-sync-start)
                  (edit-test-sync other)
                  ,@body)
              (dolist (buffer (cl-set-difference (buffer-list) before))
                (when (and (buffer-live-p buffer) (buffer-file-name buffer))
                  (with-current-buffer buffer (set-buffer-modified-p nil))
                  (kill-buffer buffer))))))))))

(defun edit-test-ask (prompt &rest _ignored)
  "Count PROMPT; answer yes."
  (push prompt edit-test-questions)
  t)

(defun edit-test-put (file text)
  "Write TEXT to FILE, as a program that knows no locks does."
  (with-temp-file (concat file ".new")
    (insert text))
  (rename-file (concat file ".new") file t)
  (set-file-times file (time-add nil 2)))

(defun edit-test-text (file)
  "Return the text of FILE."
  (with-temp-buffer
    (insert-file-contents-literally file)
    (buffer-string)))

(defun edit-test-sync (file)
  "Sync FILE and wait for the answer, which is returned."
  (let (answer)
    (meta-log-peer-sync-core-sync-file file (lambda (value) (setq answer value)))
    (should (test-helper-until answer))
    answer))

(defun edit-test-shows-p (file text)
  "Return non-nil once FILE, and the buffer that visits it, have TEXT, unmodified."
  (test-helper-until
   (and (equal (edit-test-text file) text)
        (with-current-buffer (find-buffer-visiting file)
          (and (equal (buffer-string) text) (not (buffer-modified-p)))))))

(ert-deftest edit-test-unsaved-changes-are-locked-and-merged ()
  (edit-test-with-sidecar
    (let ((create-lockfiles nil) (lock-file-name-transforms `((".*" ,folder t))))
      (with-current-buffer (find-file-noselect synced)
        (insert "mine\n")
        (should (file-symlink-p (expand-file-name ".#a.txt" (file-name-directory synced))))
        (edit-test-put other edit-test-theirs)
        (edit-test-sync other)
        ;; The sidecar has recorded it, and waits for the editor.
        (should (equal (edit-test-text synced) edit-test-base))
        (search-forward "tw")
        (save-buffer)
        (should (edit-test-shows-p synced edit-test-both))
        (should (looking-at "o\nthree\ntheirs"))
        (should-not edit-test-questions)
        (should-not (file-symlink-p (expand-file-name ".#a.txt"
                                                      (file-name-directory synced))))
        ;; What is saved next follows what is shown.
        (insert "!")
        (save-buffer)
        (should (test-helper-until
                 (equal (edit-test-text synced) (string-replace "two" "tw!o" edit-test-both))))
        (should-not edit-test-questions)))))

(ert-deftest edit-test-typing-on-while-the-save-is-merged ()
  "The answer comes when there are changes again: they stay, and are merged next."
  (edit-test-with-sidecar
    (with-current-buffer (find-file-noselect synced)
      (insert "mi")
      (edit-test-put other edit-test-theirs)
      (edit-test-sync other)
      (save-buffer)
      (insert "ne\n")
      (should (test-helper-until
               (= 3 (length (plist-get (meta-log-peer-sync-rpc-wait
                                        "documents.history" '(:file "a.txt"))
                                       :revisions)))))
      (should (equal (buffer-string) edit-test-mine))
      (should (buffer-modified-p))
      (should-not (test-helper-said "changed by others"))
      (save-buffer)
      (should (edit-test-shows-p synced edit-test-both))
      (should (= (point) (1+ (length "mine\n"))))
      (should-not edit-test-questions))))

(ert-deftest edit-test-killed-from-elsewhere-leaves-no-lock ()
  (edit-test-with-sidecar
    (let ((lock-file-name-transforms `((".*" ,folder t)))
          (buffer (find-file-noselect synced)))
      (with-current-buffer buffer (insert "x"))
      (with-temp-buffer
        (cl-letf (((symbol-function 'kill-buffer--possibly-save) (lambda (&rest _) t)))
          (kill-buffer buffer)))
      (should-not (directory-files (file-name-directory synced) nil "\\`\\.#")))))

(ert-deftest edit-test-written-just-before-the-first-change ()
  "Emacs has not seen yet what was written: still both are there, without a question."
  (edit-test-with-sidecar
    (with-current-buffer (find-file-noselect synced)
      (edit-test-put other edit-test-theirs)
      (edit-test-sync other)
      (should (equal (edit-test-text synced) edit-test-theirs))
      (set-file-times synced (time-add nil 3))
      (insert "mine\n")
      (should-not edit-test-questions)
      (should (test-helper-said "saving merges both versions"))
      (save-buffer)
      (should (edit-test-shows-p synced edit-test-both))
      (should-not edit-test-questions))))

(ert-deftest edit-test-what-is-known-to-be-recorded-asks-nothing ()
  (edit-test-with-sidecar
    (with-current-buffer (find-file-noselect synced)
      (insert "mine\n")
      (edit-test-put synced edit-test-theirs)
      (meta-log-peer-sync-view-follow (list :path synced :revision "r") "somebody")
      (should (test-helper-said "changed by somebody; your unsaved changes are still here"))
      (save-buffer)
      (should-not edit-test-questions)
      (should (equal (edit-test-text synced) edit-test-mine))
      ;; A file that was only touched is no change, either.
      (insert "more ")
      (set-file-times synced (time-add nil 60))
      (save-buffer)
      (should-not edit-test-questions)
      ;; What another program wrote is nowhere else: one question.
      (should (test-helper-until (not meta-log-peer-sync-core--saving)))
      (insert "again ")
      (edit-test-put synced "by hand\n")
      (save-buffer)
      (should (= 1 (length edit-test-questions)))
      (should (test-helper-until (not meta-log-peer-sync-core--saving)))
      (cl-letf (((symbol-function 'yes-or-no-p) #'ignore))
        (insert "and again ")
        (edit-test-put synced "by hand again\n")
        (set-file-times synced (time-add nil 90))
        (should-error (save-buffer) :type 'user-error)
        (should (equal (edit-test-text synced) "by hand again\n"))))))

(ert-deftest edit-test-a-new-file-is-merged-with-what-came-meanwhile ()
  (edit-test-with-sidecar
    (let ((new (expand-file-name "new.canvasl" (file-name-directory synced)))
          (theirs (expand-file-name "new.canvasl" folder)))
      (with-current-buffer (find-file-noselect new)
        (insert "{\"id\":\"mine\"}\n")
        (edit-test-put theirs "{\"id\":\"theirs\"}\n")
        (edit-test-sync theirs)
        (should-not (file-exists-p new))
        (save-buffer)
        (should (test-helper-until (= 2 (count-lines (point-min) (point-max)))))
        (should (equal (sort (split-string (buffer-string) "\n" t) #'string<)
                       '("{\"id\":\"mine\"}" "{\"id\":\"theirs\"}")))
        (should (edit-test-shows-p new (buffer-string)))
        (should-not edit-test-questions)))))

(ert-deftest edit-test-reverting-takes-what-came-meanwhile ()
  (edit-test-with-sidecar
    (with-current-buffer (find-file-noselect synced)
      (insert "mine ")
      (edit-test-put other "theirs\n")
      (let ((answer (edit-test-sync other)))
        (meta-log-peer-sync-view-follow answer "somebody"))
      (should (equal (buffer-string) (concat "mine " edit-test-base)))
      (revert-buffer t t)
      (should (test-helper-until (equal (buffer-string) "theirs\n")))
      (should-not (buffer-modified-p))
      (insert "now mine ")
      (save-buffer)
      (should (test-helper-until
               (= 3 (length (plist-get (meta-log-peer-sync-rpc-wait
                                        "documents.history" '(:file "a.txt"))
                                       :revisions)))))
      (should (equal (edit-test-text synced) "now mine theirs\n"))
      (should-not edit-test-questions))))

(ert-deftest edit-test-recovered-text-has-the-base-that-it-had ()
  (edit-test-with-sidecar
    (let (auto-save)
      (with-current-buffer (find-file-noselect synced)
        (auto-save-mode 1)
        (insert "mine\n")
        (do-auto-save t)
        (setq auto-save buffer-auto-save-file-name)
        (should (= #o600 (file-modes (concat auto-save ".base"))))
        ;; Emacs dies here: no buffer, and a lock that nobody owns.
        (set-visited-file-name nil t)
        (set-buffer-modified-p nil)
        (kill-buffer))
      (make-symbolic-link (format "me@%s.999999999" (system-name))
                          (expand-file-name ".#a.txt" (file-name-directory synced)) t)
      (edit-test-put other edit-test-theirs)
      (edit-test-sync other)
      (should (equal (edit-test-text synced) edit-test-theirs))
      (with-temp-file auto-save (insert edit-test-mine))
      (unless (file-exists-p (concat auto-save ".base"))
        (ert-fail "the base was deleted with the buffer"))
      (set-file-times auto-save (time-add nil 60))
      (save-window-excursion
        (recover-file synced)
        (should (equal (buffer-string) edit-test-mine))
        (setq edit-test-questions nil)
        (save-buffer)
        (should (edit-test-shows-p synced edit-test-both))
        (should-not (file-exists-p (concat auto-save ".base")))))))

(ert-deftest edit-test-the-base-is-that-of-the-bytes ()
  (edit-test-with-sidecar
    (let ((coding-system-for-write 'no-conversion) (n 0))
      (dolist (bytes (list "" "x" "a\r\nb\r\n" "\357\273\277x" "\357\273\277a\r\nb\r\n"
                           "\303\244\360\237\230\200\n" "\355\240\200" "\377\376" "\0\1\2"))
        (write-region bytes nil synced nil 'silent)
        (set-file-times synced (time-add nil (cl-incf n 5)))
        (with-current-buffer (find-file-noselect synced)
          (revert-buffer t t)
          (meta-log-peer-sync-edit--note-base)
          (should (equal (cdr meta-log-peer-sync-edit--base) (secure-hash 'sha256 bytes)))
          (kill-buffer))))))

(ert-deftest edit-test-saving-a-copy-needs-no-mode ()
  (edit-test-with-sidecar
    (let ((link (expand-file-name "link.txt" folder)))
      (make-symbolic-link synced link)
      (cl-loop for (name text count) in `((,synced "two " 2) (,link "three " 3)) do
               (with-current-buffer (find-file-noselect name)
                 (goto-char (point-min))
                 (insert text)
                 (save-buffer)
                 (should (test-helper-until
                          (= count (length (plist-get (meta-log-peer-sync-rpc-wait
                                                       "documents.history" '(:file "a.txt"))
                                                      :revisions)))))
                 (kill-buffer))))
    (should-not edit-test-questions)))

(ert-deftest edit-test-saved-while-stopped-goes-out-later ()
  (edit-test-with-sidecar
    (with-current-buffer (find-file-noselect synced)
      (meta-log-peer-sync-stop)
      (dotimes (_ 2)
        (insert "mine ")
        (save-buffer))
      (should-not (meta-log-peer-sync-rpc-running-p))
      (should (= 1 (cl-count-if (lambda (text) (string-match-p "the peer is not running" text))
                                test-helper-messages)))
      (meta-log-peer-sync-start)
      (should (test-helper-until
               (= 2 (length (plist-get (meta-log-peer-sync-rpc-wait
                                        "documents.history" '(:file "a.txt"))
                                       :revisions))))))))

;; Saves come faster than the sidecar reads the file: it sees some of them only.
(ert-deftest edit-test-quick-saves-follow-one-another ()
  (edit-test-with-sidecar
    (with-current-buffer (find-file-noselect synced)
      (dotimes (n 60)
        (goto-char (point-min))
        (forward-line (% n 3))
        (insert "x")
        (save-buffer)
        (accept-process-output nil (* 0.001 (% n 7))))
      (should (test-helper-until (not meta-log-peer-sync-core--saving)))
      (let ((revisions (append (plist-get (meta-log-peer-sync-rpc-wait
                                           "documents.history" '(:file "a.txt"))
                                          :revisions)
                               nil)))
        (should (< 2 (length revisions) 62))
        (should (= 1 (cl-count "current" revisions :test #'equal
                               :key (lambda (one) (plist-get one :state)))))
        (should-not (cl-find "merged" revisions :test #'equal
                             :key (lambda (one) (plist-get one :state))))
        ;; Each was made from the one before it.
        (cl-loop for (one next) on revisions while next
                 do (should (equal (append (plist-get next :parents) nil)
                                   (list (plist-get one :revision))))))
      (should (= 60 (how-many "x" (point-min))))
      (should (equal (edit-test-text synced) (buffer-string)))
      (should-not edit-test-questions))))

(ert-deftest edit-test-saves-under-way-when-the-peer-stops ()
  (edit-test-with-sidecar
    (with-current-buffer (find-file-noselect synced)
      (dotimes (_ 3) (insert "x") (save-buffer))
      (should (equal (caar meta-log-peer-sync-core--saving) synced))
      (should (= 2 (length (cdar meta-log-peer-sync-core--saving))))
      (meta-log-peer-sync-stop)
      (should (test-helper-until (not meta-log-peer-sync-core--saving)))
      ;; The first of them may have been recorded just before.
      (should (equal (caar meta-log-peer-sync-core--saved) synced))
      (let ((bases (mapcar (lambda (text) (secure-hash 'sha256 (concat text edit-test-base)))
                           '("" "x" "xx"))))
        (should (member (append (cdar meta-log-peer-sync-core--saved) nil)
                        (list bases (cdr bases)))))
      (should-not (cdr meta-log-peer-sync-core--saved))
      (meta-log-peer-sync-start)
      (should (test-helper-until (eq (meta-log-peer-sync-rpc-state) 'ready)))
      (should (test-helper-until
               (equal (plist-get (elt (plist-get (meta-log-peer-sync-rpc-wait
                                                  "documents.list" nil)
                                                 :documents)
                                      0)
                                 :size)
                      (buffer-size))))
      (should (equal (buffer-string) (concat "xxx" edit-test-base)))
      (should-not edit-test-questions))))

;;;; Names

(ert-deftest edit-test-a-busy-folder-is-known ()
  "A document is one also while somebody writes to its folder.
`file-in-directory-p' says no then, now and then: the save was not synced."
  (test-helper-call
   (lambda (folder)
     (let* ((meta-log-peer-sync-edit-folder (file-name-as-directory folder))
            (file (expand-file-name "a b/x.canvasl" folder))
            (writer (progn
                      (make-directory (file-name-directory file))
                      (write-region "" nil file nil 'silent)
                      (make-process :name "writer" :noquery t
                                    :command (list "sh" "-c" "while :; do : >\"$1\"; rm \"$1\"; done"
                                                   "sh" (expand-file-name "other" folder))))))
       (unwind-protect
           (dotimes (_ 1000)
             (should (equal (meta-log-peer-sync-edit-name file) "a b/x.canvasl")))
         (delete-process writer))
       (should-not (meta-log-peer-sync-edit-document-p (concat (directory-file-name folder) "-other/x.canvasl")))
       (should-not (meta-log-peer-sync-edit-document-p "/ssh:host:/x.canvasl"))))))

(provide 'edit-test)
;;; edit-test.el ends here
