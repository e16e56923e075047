;;; spaces-test.el --- Spaces and shared folders  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; With the real sidecar, which watches real folders.

;;; Code:

(require 'test-helper)
(require 'meta-log-peer-sync-spaces)

(defun spaces-test-row (name)
  "Return the columns of the space NAME, in the list, as a list of strings."
  (append (cadr (assoc name tabulated-list-entries)) nil))

(defun spaces-test-write (file text)
  "Make FILE hold TEXT, as another program does."
  (let ((coding-system-for-write 'utf-8-unix))
    (make-directory (file-name-directory file) t)
    (write-region text nil file nil 'silent)))

(defmacro spaces-test-with-list (&rest body)
  "Run BODY in the list of spaces of a peer; `mine' is a folder."
  (declare (indent 0))
  `(test-helper-with-real
     (let ((mine (expand-file-name "mine/" folder)))
       (make-directory mine)
       (meta-log-peer-sync-start)
       (with-current-buffer (meta-log-peer-sync-list-spaces)
         (should (test-helper-until (spaces-test-row "commons")))
         ,@body))))

(ert-deftest spaces-test-a-folder-is-shared ()
  (spaces-test-with-list
    (should (equal (nth 1 (spaces-test-row "commons")) "open"))
    (spaces-test-write (concat mine "d/x.md") "one\n")
    (should (eq t (meta-log-peer-sync-share-folder mine)))
    (should (test-helper-until (test-helper-said "shows commons now")))
    (should (test-helper-until (equal (test-helper-text (concat synced "d/x.md")) "one\n")))
    (should (test-helper-until (equal (nth 4 (spaces-test-row "commons")) "1")))
    (should (equal (file-name-as-directory (nth 7 (spaces-test-row "commons"))) mine))
    ;; Its files are those of others, and have the names of documents.
    (should (test-helper-until (meta-log-peer-sync-guard-file-p (concat mine "d/x.md"))))
    (should (equal (meta-log-peer-sync--document-name (concat mine "d/x.md")) "d/x.md"))
    ;; What is saved in Emacs is one revision, though the folder is watched, too.
    (with-current-buffer (find-file-noselect (concat mine "d/x.md"))
      (should (derived-mode-p 'meta-log-peer-sync-guard-file-mode))
      (meta-log-peer-sync-mode 1)
      (goto-char (point-max))
      (insert "two\n")
      (save-buffer)
      (kill-buffer))
    (should (test-helper-until (equal (test-helper-text (concat synced "d/x.md"))
                                      "one\ntwo\n")))
    (spaces-test-write (concat mine "later.md") "later\n")
    (should (test-helper-until (file-exists-p (concat synced "later.md"))))
    (let (rows)
      (meta-log-peer-sync-core-request
       "documents.history" '(:file "d/x.md")
       (lambda (answer) (setq rows (append (plist-get answer :revisions) nil))))
      (should (test-helper-until rows))
      (should (= 2 (length rows))))
    ;; From the synced copy it comes back into the folder, and into the buffer.
    (let ((buffer (find-file-noselect (concat mine "d/x.md"))))
      (test-helper-sync (concat synced "d/x.md") "one\ntwo\nthree\n")
      (should (test-helper-until (equal (test-helper-text (concat mine "d/x.md"))
                                        "one\ntwo\nthree\n")))
      (with-current-buffer buffer
        ;; As when a peer had written it: that is an event.
        (meta-log-peer-sync-view-follow-shared '(:file "d/x.md" :revision "r1") "ben")
        (should (test-helper-until (equal (buffer-string) "one\ntwo\nthree\n")))
        ;; Somebody writes while there are unsaved changes: saving merges both.
        (goto-char (point-min))
        (insert "zero\n")
        (test-helper-sync (concat synced "d/x.md") "one\ntwo\nthree\nfour\n")
        (meta-log-peer-sync-view-follow-shared '(:file "d/x.md" :revision "r2") "ben")
        (should (test-helper-said "was changed by ben; your unsaved changes are still here"))
        (should (equal (test-helper-text (concat mine "d/x.md")) "one\ntwo\nthree\n"))
        (save-buffer)
        (should (test-helper-until
                 (equal (test-helper-text (concat mine "d/x.md"))
                        "zero\none\ntwo\nthree\nfour\n")))
        (should (test-helper-until
                 (equal (buffer-string) "zero\none\ntwo\nthree\nfour\n"))))
      (kill-buffer buffer))
    (should (eq t (meta-log-peer-sync-leave-space "commons")))
    (should (test-helper-until (test-helper-said "watched no more")))
    (should (file-exists-p (concat mine "d/x.md")))))

(ert-deftest spaces-test-a-local-space ()
  (spaces-test-with-list
    (should-error (meta-log-peer-sync-create-space "No Name") :type 'user-error)
    (should (eq t (meta-log-peer-sync-create-space "diary")))
    (should (test-helper-until (spaces-test-row "diary")))
    (should (equal (nth 1 (spaces-test-row "diary")) "local"))
    (should (eq t (meta-log-peer-sync-share-folder mine "diary")))
    (spaces-test-write (concat mine "x.md") "secret\n")
    (should (test-helper-until
             (equal (test-helper-text (concat synced "~diary/x.md")) "secret\n")))
    (should (test-helper-until (equal (meta-log-peer-sync--document-name
                                       (concat mine "x.md"))
                                      "~diary/x.md")))
    ;; Nobody else writes there: its files open as they always did.
    (should-not (meta-log-peer-sync-guard-file-p (concat mine "x.md")))
    (test-helper-to "diary")
    (test-helper-press "a")
    (should (test-helper-until (equal (nth 3 (spaces-test-row "diary")) "off")))
    (spaces-test-write (concat mine "y.md") "waits\n")
    (should (test-helper-until (progn (revert-buffer)
                                      (equal (nth 5 (spaces-test-row "diary")) "1"))))
    (should-not (file-exists-p (concat synced "~diary/y.md")))
    (test-helper-press "i")
    (should (test-helper-until (file-exists-p (concat synced "~diary/y.md"))))
    (let ((asked (test-helper-answering t (test-helper-press "l"))))
      (should (= 1 (length asked))))
    (should (test-helper-until (not (spaces-test-row "diary"))))
    (should (file-exists-p (concat mine "y.md")))))

(ert-deftest spaces-test-many-deletions-wait ()
  (spaces-test-with-list
    (dotimes (number 3)
      (spaces-test-write (format "%s%d.md" mine number) (format "%d\n" number)))
    (meta-log-peer-sync-share-folder mine)
    (should (test-helper-until (file-exists-p (concat synced "2.md"))))
    (should (test-helper-until (file-exists-p (concat synced "0.md"))))
    (dotimes (number 3) (delete-file (format "%s%d.md" mine number)))
    (should (test-helper-until (test-helper-said "3 deletions of commons held")))
    (should (test-helper-until (equal (nth 6 (spaces-test-row "commons")) "3")))
    (test-helper-to "commons")
    (test-helper-press "u")
    (should (test-helper-until (file-exists-p (concat mine "2.md"))))
    (should (test-helper-until (equal (nth 6 (spaces-test-row "commons")) "0")))
    (dotimes (number 3) (delete-file (format "%s%d.md" mine number)))
    (should (test-helper-until (equal (nth 6 (spaces-test-row "commons")) "3")))
    (meta-log-peer-sync-confirm-deletions "commons")
    (should (test-helper-until (not (file-exists-p (concat synced "2.md")))))
    (should (test-helper-until (equal (nth 4 (spaces-test-row "commons")) "0")))))

(ert-deftest spaces-test-deleted-documents-are-shown-when-asked-for ()
  (spaces-test-with-list
    (spaces-test-write (concat mine "keep.md") "keep\n")
    (spaces-test-write (concat mine "x.md") "one\n")
    (meta-log-peer-sync-share-folder mine)
    (should (test-helper-until (file-exists-p (concat synced "x.md"))))
    (delete-file (concat mine "x.md"))
    (should (test-helper-until (not (file-exists-p (concat synced "x.md")))))
    (with-current-buffer (meta-log-peer-sync-documents)
      (should (test-helper-until (equal (mapcar #'car tabulated-list-entries)
                                        '("keep.md"))))
      (test-helper-press "D")
      (should (test-helper-until (equal (mapcar #'car tabulated-list-entries)
                                        '("keep.md" "x.md"))))
      (should (equal (aref (cadr (assoc "x.md" tabulated-list-entries)) 1) "deleted"))
      (test-helper-press "D")
      (should (test-helper-until (equal (mapcar #'car tabulated-list-entries)
                                        '("keep.md")))))))

(ert-deftest spaces-test-mistakes-are-told ()
  (spaces-test-with-list
    (should-error (meta-log-peer-sync-share-folder (concat mine "none")) :type 'user-error)
    (should-error (meta-log-peer-sync-share-folder "/ssh:host:/x") :type 'user-error)
    (should-error (meta-log-peer-sync-leave-space "A B") :type 'user-error)
    (meta-log-peer-sync-leave-space "nowhere")
    (should (test-helper-until (test-helper-said "no such space")))
    (meta-log-peer-sync-confirm-deletions "commons")
    (should (test-helper-until (test-helper-said "no deletions are held")))
    (goto-char (point-max))
    (should-error (meta-log-peer-sync-spaces-open) :type 'user-error)
    (test-helper-to "commons")
    (should (with-current-buffer (save-window-excursion
                                   (meta-log-peer-sync-spaces-open)
                                   (current-buffer))
              (derived-mode-p 'dired-mode)))))

(provide 'spaces-test)
;;; spaces-test.el ends here
