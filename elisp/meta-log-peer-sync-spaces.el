;;; meta-log-peer-sync-spaces.el --- Spaces and shared folders  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, files

;;; Commentary:

;; A space is a set of documents.  `commons' is open to everybody; a local
;; space has a history, and nothing of it ever leaves this machine.  Each can
;; show its documents in a folder of yours: what any program does to the files
;; there is recorded, and what peers write comes into it.
;;
;; M-x meta-log-peer-sync-list-spaces shows them, and what waits.  There, `s'
;; shares a folder, `c' makes a local space, `a' turns auto-sync on or off, `l'
;; leaves, `y' and `u' decide about many deletions at once that are held.

;;; Code:

(require 'meta-log-peer-sync-list)

(defvar-local meta-log-peer-sync-spaces--rows nil
  "What the sidecar says of each space of the current buffer, as (NAME . PLIST).")

;;;; Asking

(defun meta-log-peer-sync-spaces--at-point ()
  "Return the name of the space on the line at point, in the list, or nil."
  (and (derived-mode-p 'meta-log-peer-sync-spaces-mode) (tabulated-list-get-id)))

(defun meta-log-peer-sync-spaces--read (prompt &optional default)
  "Ask with PROMPT for the name of a space, DEFAULT by default.
In the list of spaces it is the one at point, without a question."
  (or (meta-log-peer-sync-spaces--at-point)
      (let* ((default (or default "commons"))
             (answer (string-trim (read-string (format "%s (default %s): " prompt default)
                                               nil nil default))))
        (if (string-empty-p answer) default answer))))

(defun meta-log-peer-sync-spaces--check (space)
  "Return SPACE, or signal a `user-error' when it is the name of none."
  (let ((case-fold-search nil))
    (if (and (stringp space) (string-match-p "\\`[a-z0-9][a-z0-9_-]\\{0,63\\}\\'" space))
        space
      (user-error "%S is no name of a space; use lower-case letters, digits, - and _" space))))

(defun meta-log-peer-sync-spaces--request (method params text)
  "Ask METHOD with PARAMS; then show the answer as the function TEXT puts it."
  (meta-log-peer-sync-core-request
   method params
   (lambda (answer)
     (meta-log-peer-sync-core-refresh-folders)
     (meta-log-peer-sync-core--changed (list :event "space-changed"))
     (message "%s" (funcall text answer))))
  t)

;;;; Commands

;;;###autoload
(defun meta-log-peer-sync-share-folder (folder &optional space)
  "Show the documents of SPACE, `commons' by default, in FOLDER; return t at once.
From then on what any program changes there is recorded and synced, and
what peers write comes into it.  A file that differs from a document of its
name is merged with it.  Interactively, a prefix argument asks for SPACE;
in the list of spaces it is the one at point."
  (interactive
   (list (read-directory-name "Share folder: " nil nil t)
         (or (meta-log-peer-sync-spaces--at-point)
             (and current-prefix-arg (meta-log-peer-sync-spaces--read "In space")))))
  (let ((folder (expand-file-name folder))
        (space (meta-log-peer-sync-spaces--check (or space "commons"))))
    (when (file-remote-p folder)
      (user-error "This folder is on another machine; only local ones can be shared"))
    (unless (file-directory-p folder)
      (user-error "There is no folder %s" folder))
    (meta-log-peer-sync-spaces--request
     "spaces.share" (list :path (directory-file-name folder) :space space)
     (lambda (answer)
       (format "%s shows %s now"
               (meta-log-peer-sync-core-plain (plist-get answer :folder) 200) space)))))

;;;###autoload
(defun meta-log-peer-sync-create-space (space)
  "Make a local space called SPACE; return t at once.
It has a folder of its own, and a history; nothing of it ever leaves this
machine.  \\[meta-log-peer-sync-share-folder] with a prefix argument shows it
in another folder."
  (interactive (list (string-trim (read-string "Name of the new space: "))))
  (meta-log-peer-sync-spaces--request
   "spaces.create" (list :space (meta-log-peer-sync-spaces--check space))
   (lambda (answer)
     (format "%s is a local space, in %s" space
             (meta-log-peer-sync-core-plain (plist-get answer :home) 200)))))

;;;###autoload
(defun meta-log-peer-sync-leave-space (space)
  "Watch the folder that SPACE shares no more; return t at once.
A local space is forgotten.  The files stay where they are, and so do the
documents of `commons' and every history."
  (interactive (list (meta-log-peer-sync-spaces--read "Leave space")))
  (meta-log-peer-sync-spaces--check space)
  (when (and (called-interactively-p 'any)
             (not (y-or-n-p (format "Watch the folder of %s no more? " space))))
    (user-error "Nothing was changed"))
  (meta-log-peer-sync-spaces--request
   "spaces.leave" (list :space space)
   (lambda (_answer) (format "The folder of %s is watched no more; its files stay" space))))

;;;###autoload
(defun meta-log-peer-sync-auto-sync (on &optional space)
  "Take edits of the files of SPACE as they happen if ON is non-nil; return t.
Otherwise they wait, counted, for \\[meta-log-peer-sync-sync-all].  SPACE is
`commons' by default.  Interactively it is turned off with a negative prefix
argument; in the list of spaces, where it is on, and on where it is off."
  (interactive
   (let ((space (meta-log-peer-sync-spaces--at-point)))
     (if space
         (list (not (eq t (plist-get (cdr (assoc space meta-log-peer-sync-spaces--rows))
                                     :auto_sync)))
               space)
       (list (>= (prefix-numeric-value current-prefix-arg) 0)
             (meta-log-peer-sync-spaces--read "Auto-sync of space")))))
  (let ((space (meta-log-peer-sync-spaces--check (or space "commons"))))
    (meta-log-peer-sync-spaces--request
     "spaces.set" (list :space space :auto_sync (if on t :json-false))
     (lambda (answer)
       (format "Changes in %s are %s" space
               (if (eq t (plist-get answer :auto_sync)) "taken as they happen"
                 "taken by M-x meta-log-peer-sync-sync-all only"))))))

;;;###autoload
(defun meta-log-peer-sync-sync-all ()
  "Take what changed in every folder, and compare with the peers; return t at once."
  (interactive)
  (meta-log-peer-sync-spaces--request
   "sync.all" nil
   (lambda (answer)
     (format "%s imported, %s asked"
             (meta-log-peer-sync-core-count (plist-get answer :imported) "document")
             (meta-log-peer-sync-core-count (length (plist-get answer :peers)) "peer")))))

;;;###autoload
(defun meta-log-peer-sync-confirm-deletions (space &optional restore)
  "The deletions of SPACE that are held are meant: delete for everybody.
With RESTORE, a prefix argument, they are not: write the files again.
Return t at once."
  (interactive (list (meta-log-peer-sync-spaces--read "Held deletions of space")
                     current-prefix-arg))
  (meta-log-peer-sync-spaces--check space)
  (when (and (called-interactively-p 'any) (not restore)
             (not (yes-or-no-p (format "Delete the missing files of %s for everybody? "
                                       space))))
    (user-error "Nothing was deleted; a prefix argument brings the files back"))
  (meta-log-peer-sync-spaces--request
   (if restore "spaces.restore" "spaces.confirm") (list :space space)
   (lambda (answer)
     (format "%s of %s %s" (meta-log-peer-sync-core-count (plist-get answer :count) "file")
             space (if restore "written again" "deleted")))))

(defun meta-log-peer-sync-spaces-restore ()
  "Bring back what is missing in the space at point."
  (interactive)
  (meta-log-peer-sync-confirm-deletions (meta-log-peer-sync-list-id) t))

;;;; The list

(defvar meta-log-peer-sync-spaces-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map meta-log-peer-sync-list-mode-map)
    (define-key map (kbd "RET") #'meta-log-peer-sync-spaces-open)
    (define-key map "s" #'meta-log-peer-sync-share-folder)
    (define-key map "c" #'meta-log-peer-sync-create-space)
    (define-key map "l" #'meta-log-peer-sync-leave-space)
    (define-key map "a" #'meta-log-peer-sync-auto-sync)
    (define-key map "i" #'meta-log-peer-sync-sync-all)
    (define-key map "y" #'meta-log-peer-sync-confirm-deletions)
    (define-key map "u" #'meta-log-peer-sync-spaces-restore)
    map)
  "Keys of `meta-log-peer-sync-spaces-mode'.")

(define-derived-mode meta-log-peer-sync-spaces-mode meta-log-peer-sync-list-mode
  "Spaces"
  "Major mode for the list of spaces.
\\{meta-log-peer-sync-spaces-mode-map}"
  (setq tabulated-list-format [("Space" 14 t) ("Kind" 6 t) ("State" 22 t)
                               ("Auto" 4 t) ("Documents" 9 nil :right-align t)
                               ("Waiting" 7 nil :right-align t)
                               ("Held" 5 nil :right-align t) ("Folder" 40 t)]
        tabulated-list-sort-key '("Space"))
  (tabulated-list-init-header))

(defun meta-log-peer-sync-spaces--folder (fields)
  "Return the folder of the space that FIELDS describe."
  (or (plist-get fields :folder) (plist-get fields :home)))

(defun meta-log-peer-sync-spaces--row (fields)
  "Return the row of the space that FIELDS describe."
  (let ((reason (plist-get fields :reason)))
    (list (plist-get fields :name)
          (vector (meta-log-peer-sync-core-plain (plist-get fields :name))
                  (meta-log-peer-sync-core-plain (plist-get fields :kind))
                  (concat (meta-log-peer-sync-core-plain (plist-get fields :state))
                          (if (member reason '(nil "")) ""
                            (format " (%s)" (meta-log-peer-sync-core-plain reason))))
                  (if (eq t (plist-get fields :auto_sync)) "on" "off")
                  (format "%s" (or (plist-get fields :documents) 0))
                  (format "%s" (or (plist-get fields :waiting) 0))
                  (format "%s" (or (plist-get fields :held) 0))
                  (meta-log-peer-sync-core-plain
                   (meta-log-peer-sync-spaces--folder fields) 200)))))

(defun meta-log-peer-sync-spaces--fetch (buffer)
  "Return a function that asks for the spaces to show in BUFFER."
  (lambda (function failed)
    (meta-log-peer-sync-core-request
     "spaces.list" nil
     (lambda (answer)
       (let ((spaces (append (plist-get answer :spaces) nil)))
         (when (buffer-live-p buffer)
           (with-current-buffer buffer
             (setq meta-log-peer-sync-spaces--rows
                   (mapcar (lambda (fields) (cons (plist-get fields :name) fields))
                           spaces))))
         (funcall function (mapcar #'meta-log-peer-sync-spaces--row spaces))))
     failed)))

;;;###autoload
(defun meta-log-peer-sync-list-spaces ()
  "List the spaces, their folders, and what waits there; return the buffer."
  (interactive)
  (let ((name "*meta-log-peer-sync spaces*"))
    (meta-log-peer-sync-list-show
     name #'meta-log-peer-sync-spaces-mode
     (meta-log-peer-sync-spaces--fetch (get-buffer-create name))
     '("space-changed" "deletions-held" "folder-away" "document-changed" "sync-started"))))

(defun meta-log-peer-sync-spaces-open ()
  "Visit the folder of the space at point."
  (interactive)
  (let ((folder (meta-log-peer-sync-spaces--folder
                 (cdr (assoc (meta-log-peer-sync-list-id)
                             meta-log-peer-sync-spaces--rows)))))
    (if (and (stringp folder) (file-directory-p folder))
        (find-file folder)
      (user-error "The folder of this space is not there"))))

(provide 'meta-log-peer-sync-spaces)
;;; meta-log-peer-sync-spaces.el ends here
