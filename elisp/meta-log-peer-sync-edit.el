;;; meta-log-peer-sync-edit.el --- Edit synced copies, losing nobody's text  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, files

;;; Commentary:

;; A file of the synced folder has two writers: the user, in Emacs, and the
;; sidecar, which writes what peers send.  While a buffer has unsaved changes,
;; Emacs keeps its lock beside the file, and the sidecar waits for it.  And each
;; save says with which text the changes began, so that the sidecar can merge
;; them with a version that came meanwhile; the buffer then shows both.
;;
;; That makes most of the questions pointless that Emacs asks about a file that
;; has changed on disk: nothing is replaced.  What is left is one question,
;; before a save that would overwrite text that no peer has sent.
;;
;; The functions here are hooks and advice of `meta-log-peer-sync-guard-mode'.

;;; Code:

(require 'cl-lib)

(defvar meta-log-peer-sync-edit-folder nil
  "Folder of the synced documents, absolute, or nil while none is known.")

(defvar meta-log-peer-sync-edit-shared nil
  "Guarded folders that show documents, too, as (FOLDER . PREFIX of their names).")

(defvar meta-log-peer-sync-edit-keep-lock nil
  "Non-nil while a save leaves the lock of the document in place.
It is taken away at the end of the save, or, if this is `answer', when the
sidecar has recorded what was saved.")

(declare-function meta-log-peer-sync-core-sync-saved "meta-log-peer-sync-core")
(declare-function meta-log-peer-sync-core-saving-p "meta-log-peer-sync-core")
(declare-function meta-log-peer-sync-rpc-state "meta-log-peer-sync-rpc")
(declare-function meta-log-peer-sync-rpc-wait "meta-log-peer-sync-rpc")

(defvar-local meta-log-peer-sync-edit--base nil
  "What the changes of this buffer began with, as (MODTIME . SHA-256), or nil.")
(put 'meta-log-peer-sync-edit--base 'permanent-local t)

(defvar-local meta-log-peer-sync-edit-known-time nil
  "Modification time of the file when its text was last known to be recorded.")
(put 'meta-log-peer-sync-edit-known-time 'permanent-local t)

(defun meta-log-peer-sync-edit-document-p (&optional file)
  "Return non-nil when FILE, default the visited one, is a synced document.
That is so when it lies in the synced folder, or in a guarded folder that
shows documents, by any of its names."
  (and (meta-log-peer-sync-edit-name file) t))

(defun meta-log-peer-sync-edit-name (&optional file)
  "Return the name of the document that FILE, default the visited one, is; or nil."
  (let ((file (or file buffer-file-name)))
    (and file
         (not (file-remote-p file))
         (save-match-data
           (let ((true (file-truename (file-name-unquote file))))
             (cl-loop
              for (folder . prefix) in (cons (cons meta-log-peer-sync-edit-folder "")
                                             meta-log-peer-sync-edit-shared)
              ;; By names: `file-in-directory-p' looks at the folder's times as well,
              ;; and says no when the sidecar writes there at the same moment.
              for root = (and folder (file-name-as-directory (file-truename folder)))
              when (and root (string-prefix-p root true))
              return (concat prefix (substring true (length root)))))))))

(defun meta-log-peer-sync-edit--hash ()
  "Return the SHA-256 of the bytes that saving this buffer would write."
  (save-restriction
    (widen)
    (secure-hash 'sha256 (encode-coding-string
                          (buffer-substring-no-properties (point-min) (point-max))
                          (or buffer-file-coding-system 'utf-8-unix) t))))

(defun meta-log-peer-sync-edit--file-hash (file)
  "Return the SHA-256 of FILE."
  (with-temp-buffer
    (set-buffer-multibyte nil)
    (insert-file-contents-literally file)
    (secure-hash 'sha256 (current-buffer))))

;;;; With which text changes begin

(defun meta-log-peer-sync-edit--base-file ()
  "Return where the base of this buffer is kept for `recover-file'."
  (concat (or buffer-auto-save-file-name (make-auto-save-file-name)) ".base"))

(defun meta-log-peer-sync-edit--note-base ()
  "The first change is about to be made: remember the text as it is now.
While the visited version is the same, what was noted first stays: the
buffer may be called unmodified, and be changed again."
  (condition-case problem
      (save-match-data
        (let ((time (and buffer-file-name (visited-file-modtime))))
          (when (and time (not (equal time (car meta-log-peer-sync-edit--base)))
                     (meta-log-peer-sync-edit-document-p))
            (let ((hash (meta-log-peer-sync-edit--hash))
                  (file (and buffer-auto-save-file-name
                             (meta-log-peer-sync-edit--base-file)))
                  (create-lockfiles nil))
              (setq meta-log-peer-sync-edit--base (cons time hash))
              (when file
                (with-file-modes #o600
                  (write-region hash nil file nil 'silent)))))))
    ;; An error here would keep the user from typing.
    (error (message "meta-log-peer-sync: %s" (error-message-string problem)))))
(put 'meta-log-peer-sync-edit--note-base 'permanent-local-hook t)

(defun meta-log-peer-sync-edit--recover (function file)
  "Around `recover-file': note the base of what FUNCTION recovers of FILE.
It is the text that was there when it was auto-saved."
  (let* ((name (expand-file-name file))
         (kept (and (meta-log-peer-sync-edit-document-p name)
                    (with-temp-buffer
                      (let ((buffer-file-name name))
                        (meta-log-peer-sync-edit--base-file)))))
         (base (and kept (file-exists-p kept)
                    (with-temp-buffer
                      (insert-file-contents-literally kept)
                      (buffer-string)))))
    (prog1 (funcall function file)
      (let ((buffer (and base (find-buffer-visiting name))))
        (when buffer
          (with-current-buffer buffer
            (setq meta-log-peer-sync-edit--base (cons (visited-file-modtime) base))
            (let ((create-lockfiles nil))
              (write-region base nil kept nil 'silent))))))))

;;;; Saving

(defun meta-log-peer-sync-edit-release (file)
  "Take the lock of FILE away that a save has left, unless it is edited again.
Return non-nil when there was one."
  (let ((buffer (find-buffer-visiting file))
        (meta-log-peer-sync-edit-keep-lock nil))
    (when (and (eq (file-locked-p file) t)
               (not (and buffer (buffer-modified-p buffer))))
      (unlock-file file)
      t)))

(defun meta-log-peer-sync-edit--current-p (file)
  "Return non-nil when FILE has the current text of its document.
The sidecar is asked, and has a second to answer: this is for the rare case
in which it has just written FILE, and the news of that is under way."
  (and (fboundp 'meta-log-peer-sync-rpc-wait)
       (eq (meta-log-peer-sync-rpc-state) 'ready)
       (condition-case nil
           (let* ((name (meta-log-peer-sync-edit-name file))
                  (path (plist-get (meta-log-peer-sync-rpc-wait "documents.export"
                                                                (list :file name) 1)
                                   :path)))
             (and (stringp path) (file-exists-p path)
                  (equal (meta-log-peer-sync-edit--file-hash path)
                         (meta-log-peer-sync-edit--file-hash file))))
         ((user-error file-error) nil))))

(defun meta-log-peer-sync-edit--known-p ()
  "Return non-nil when the text of the visited file is recorded, or the base.
It has changed on disk since it was visited."
  (let ((file buffer-file-name))
    (or (equal meta-log-peer-sync-edit-known-time
               (file-attribute-modification-time (file-attributes file)))
        (equal (cdr meta-log-peer-sync-edit--base)
               (meta-log-peer-sync-edit--file-hash file))
        (meta-log-peer-sync-edit--current-p file))))

(defun meta-log-peer-sync-edit--save (function &rest arguments)
  "Around `basic-save-buffer': call FUNCTION with ARGUMENTS, which asks nothing.
When a document has changed on disk, what is recorded is merged with this
text; only before other text is lost the user is asked, once."
  (with-current-buffer (or (buffer-base-buffer) (current-buffer))
    (if (not (and buffer-file-name (buffer-modified-p)
                  (meta-log-peer-sync-edit-document-p)))
        (apply function arguments)
      (let ((changed (and (file-exists-p buffer-file-name)
                          (not (verify-visited-file-modtime (current-buffer)))))
            (file buffer-file-name))
        (when changed
          (unless (or (meta-log-peer-sync-edit--known-p)
                      (yes-or-no-p (format "Another program has changed %s on disk.  \
Save anyway? "
                                           (file-name-nondirectory file))))
            (user-error "Not saved; M-x revert-buffer shows what is on disk"))
          (set-visited-file-modtime))
        ;; Emacs would unlock the file before all is in its place.  And a text that
        ;; was not made from what the sidecar has written last must not be taken for
        ;; that of another program, which was: until it is recorded, there is a lock.
        (let ((meta-log-peer-sync-edit-keep-lock
               (if (or changed
                       (and (fboundp 'meta-log-peer-sync-core-saving-p)
                            (meta-log-peer-sync-core-saving-p
                             (file-truename (file-name-unquote file)))))
                   'answer
                 'save)))
          (unwind-protect
              (apply function arguments)
            (when (eq meta-log-peer-sync-edit-keep-lock 'save)
              (meta-log-peer-sync-edit-release file))))))))

(defun meta-log-peer-sync-edit--supersession (function file)
  "Around `ask-user-about-supersession-threat': FUNCTION is for other FILEs only."
  (if (meta-log-peer-sync-edit-document-p file)
      (message "%s has changed on disk; saving merges both versions, M-x revert-buffer \
takes the new one alone" (file-name-nondirectory file))
    (funcall function file)))

(defun meta-log-peer-sync-edit--saved ()
  "The current buffer was saved: hand it on when it is a document."
  (when (and buffer-file-name (meta-log-peer-sync-edit-document-p))
    (let ((base (cdr meta-log-peer-sync-edit--base))
          (file (meta-log-peer-sync-edit--base-file)))
      (setq meta-log-peer-sync-edit--base nil
            meta-log-peer-sync-edit-known-time nil)
      (when (file-exists-p file)
        (delete-file file))
      ;; The sidecar may write it again as soon as it has recorded this.
      (when (eq meta-log-peer-sync-edit-keep-lock 'save)
        (meta-log-peer-sync-edit-release buffer-file-name))
      ;; The guard may be on without a peer ever started.
      (require 'meta-log-peer-sync-core)
      (meta-log-peer-sync-core-sync-saved
       (file-truename (file-name-unquote buffer-file-name)) base))))
(put 'meta-log-peer-sync-edit--saved 'permanent-local-hook t)

(defun meta-log-peer-sync-edit-prepare ()
  "Let the current buffer, which visits a guarded file, lock and save as it must."
  ;; What nobody sees holds nobody back, so this is not left to the user's options.
  (setq-local create-lockfiles t)
  ;; The sidecar may be reading the last save: it must not find half of this one.
  (setq-local file-precious-flag t)
  (setq-local file-preserve-symlinks-on-save t)
  (add-hook 'first-change-hook #'meta-log-peer-sync-edit--note-base nil t)
  (add-hook 'after-save-hook #'meta-log-peer-sync-edit--saved nil t))

(defun meta-log-peer-sync-edit-unload-function ()
  "Leave no function in the hooks of any buffer."
  (dolist (buffer (buffer-list))
    (with-current-buffer buffer
      (remove-hook 'first-change-hook #'meta-log-peer-sync-edit--note-base t)
      (remove-hook 'after-save-hook #'meta-log-peer-sync-edit--saved t)))
  nil)

(provide 'meta-log-peer-sync-edit)
;;; meta-log-peer-sync-edit.el ends here
