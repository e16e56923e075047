;;; meta-log-peer-sync-view.el --- Show synced files and follow their changes  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, files

;;; Commentary:

;; `meta-log-peer-sync-view-file' shows a file without visiting it: its text
;; is inserted as it is into a read-only buffer.  And buffers that visit a
;; synced file, or show one, follow it when a peer has changed it.

;;; Code:

(require 'cl-lib)
(require 'meta-log-peer-sync-guard)

(defcustom meta-log-peer-sync-view-follow-buffers t
  "Non-nil: a buffer without unsaved changes follows the synced file it visits.
A buffer with unsaved changes is always left alone, and a message says so.
It follows when it is saved, which merges the changes, when it is reverted,
or when its changes are undone."
  :type 'boolean
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defconst meta-log-peer-sync-view--limit (* 8 1024 1024)
  "Bytes of a file that the viewer shows.")

(defvar-local meta-log-peer-sync-view--file nil "File that this buffer shows.")
(defvar-local meta-log-peer-sync-view--told nil
  "Revision that was last told about in this buffer.")
(defvar-local meta-log-peer-sync-view--timer nil
  "Timer that looks whether this buffer may follow its file by now, or nil.")
(put 'meta-log-peer-sync-view--timer 'permanent-local t)

(defvar meta-log-peer-sync-view-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map special-mode-map)
    (define-key map "g" #'revert-buffer)
    map)
  "Keys of `meta-log-peer-sync-view-mode'.")

(define-derived-mode meta-log-peer-sync-view-mode special-mode "Synced-View"
  "Major mode that shows a synced file; nothing in it is obeyed.
Direction-changing and invisible characters show as their numbers."
  (meta-log-peer-sync-guard-make-inert)
  (setq-local bidi-display-reordering nil)
  (setq-local truncate-lines t)
  (setq-local revert-buffer-function #'meta-log-peer-sync-view--revert)
  (setq-local buffer-undo-list t))

(defun meta-log-peer-sync-view--revert (&rest _ignored)
  "Show the file of the current buffer as it is now."
  (let* ((file meta-log-peer-sync-view--file)
         (line (line-number-at-pos))
         (text (meta-log-peer-sync-guard-text
                file (meta-log-peer-sync-guard-coding file) meta-log-peer-sync-view--limit))
         (inhibit-read-only t))
    (erase-buffer)
    (insert text)
    (when (> (file-attribute-size (file-attributes file)) meta-log-peer-sync-view--limit)
      (insert "\n[The rest of the file is not shown.]\n"))
    (set-buffer-modified-p nil)
    (goto-char (point-min))
    (forward-line (1- line))))

;;;###autoload
(defun meta-log-peer-sync-view-file (file)
  "Show FILE without visiting it; return the buffer.
Its text is inserted as it is, and nothing in it is obeyed."
  (interactive "fView file: ")
  (let ((file (expand-file-name file)))
    (unless (file-regular-p file)
      (user-error "There is no file %s" file))
    (let ((buffer (get-buffer-create
                   (format "*synced: %s*" (file-name-nondirectory file)))))
      (with-current-buffer buffer
        (meta-log-peer-sync-view-mode)
        (setq meta-log-peer-sync-view--file file
              default-directory (file-name-directory file))
        (meta-log-peer-sync-view--revert)
        (goto-char (point-min)))
      (unless noninteractive (pop-to-buffer buffer))
      buffer)))

;;;; Following changes

(defun meta-log-peer-sync-view--stop-waiting ()
  "Stop looking whether the current buffer may follow its file."
  (when meta-log-peer-sync-view--timer
    (cancel-timer meta-log-peer-sync-view--timer)
    (setq meta-log-peer-sync-view--timer nil)))

(defun meta-log-peer-sync-view-follow-soon (file)
  "Let the current buffer follow FILE later, when all is saved or undone.
The sidecar writes the file only then, some seconds later, without an event."
  (meta-log-peer-sync-view--stop-waiting)
  (let ((buffer (current-buffer)) (left 10) timer)
    (setq timer (run-at-time
                 1 1 (lambda ()
                       (cond ((not (buffer-live-p buffer)) (cancel-timer timer))
                             ((buffer-modified-p buffer))
                             (t (with-current-buffer buffer
                                  (when (or (not (verify-visited-file-modtime))
                                            (= 0 (cl-decf left)))
                                    (meta-log-peer-sync-view--stop-waiting)
                                    (meta-log-peer-sync-view--follow-file file)))))))
          meta-log-peer-sync-view--timer timer)))

(defun meta-log-peer-sync-view--follow-file (file)
  "Make the current buffer, which visits FILE and is not modified, equal to it."
  (cond ((or (verify-visited-file-modtime) (not (file-regular-p file))))
        (find-file-literally (revert-buffer t t t))
        (t (meta-log-peer-sync-guard-replace file))))

(defun meta-log-peer-sync-view--follow-modified (file who revision)
  "Leave the unsaved text of the current buffer, which visits FILE, alone.
WHO has made REVISION meanwhile; without WHO, it may be that nobody has.
The text that it began with is noted already: saving merges."
  (when (or who (not (verify-visited-file-modtime)))
    (setq meta-log-peer-sync-edit-known-time
          (file-attribute-modification-time (file-attributes file)))
    (meta-log-peer-sync-view-follow-soon file)
    (unless (or (null who) (equal revision meta-log-peer-sync-view--told))
      (setq meta-log-peer-sync-view--told revision)
      (message "%s was changed by %s; your unsaved changes are still here: saving merges \
both, M-x revert-buffer takes theirs alone" (buffer-name) who))))

(defun meta-log-peer-sync-view--follow-buffer (file who revision)
  "Let the current buffer follow FILE, of which WHO has made REVISION."
  (cond
   (meta-log-peer-sync-view--file (meta-log-peer-sync-view--revert))
   ((not meta-log-peer-sync-view-follow-buffers))
   ((buffer-modified-p) (meta-log-peer-sync-view--follow-modified file who revision))
   (t (meta-log-peer-sync-view--follow-file file))))

(defun meta-log-peer-sync-view-follow (event &optional who)
  "Let buffers follow EVENT, a document that WHO, a name, has changed.
Without WHO, it was recorded for this Emacs, and others may have changed it."
  (let ((file (plist-get event :path)) (revision (plist-get event :revision)))
    (when (and (stringp file) (file-regular-p file))
      (let ((true (file-truename file)))
        (dolist (buffer (buffer-list))
          (with-current-buffer buffer
            (when (or (and buffer-file-name
                           (or (equal buffer-file-name file)
                               (equal (expand-file-name (or buffer-file-truename "")) true)))
                      (and meta-log-peer-sync-view--file
                           (equal (file-truename meta-log-peer-sync-view--file) true)))
              (condition-case problem
                  (meta-log-peer-sync-view--follow-buffer file who revision)
                (error (message "%s was changed%s but does not show it: %s"
                                (buffer-name) (if who (concat " by " who) "")
                                (error-message-string problem)))))))))))

(defun meta-log-peer-sync-view-follow-shared (event &optional who)
  "Let buffers of shared folders follow EVENT, a document that WHO has changed.
The sidecar writes these files a moment after the synced copy."
  (pcase-dolist (`(,folder . ,prefix) meta-log-peer-sync-edit-shared)
    (let* ((name (plist-get event :file))
           (file (and (stringp name) (string-prefix-p prefix name)
                      (concat folder (substring name (length prefix)))))
           (buffer (and file (find-buffer-visiting file))))
      (when (and buffer meta-log-peer-sync-view-follow-buffers)
        (with-current-buffer buffer
          (if (and who (buffer-modified-p) (file-exists-p file))
              (meta-log-peer-sync-view--follow-modified
               file who (plist-get event :revision))
            (meta-log-peer-sync-view-follow-soon file)))))))

(defun meta-log-peer-sync-view-unload-function ()
  "Cancel the timers."
  (dolist (buffer (buffer-list))
    (with-current-buffer buffer (meta-log-peer-sync-view--stop-waiting)))
  nil)

(provide 'meta-log-peer-sync-view)
;;; meta-log-peer-sync-view.el ends here
