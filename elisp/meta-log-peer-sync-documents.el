;;; meta-log-peer-sync-documents.el --- The list of documents  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, tools

;;; Commentary:

;; M-x meta-log-peer-sync-documents lists what is shared.  From there, `h'
;; leads to the history of a document and `x' to the conflicts.

;;; Code:

(require 'meta-log-peer-sync-list)

(declare-function meta-log-peer-sync-restore "meta-log-peer-sync")
(declare-function meta-log-peer-sync-history-show "meta-log-peer-sync-history")

(defvar-local meta-log-peer-sync-documents--name nil
  "Name of the document that the current buffer is about.")
(defvar-local meta-log-peer-sync-documents--deleted nil
  "Non-nil while the current list shows deleted documents, too.")
(defvar-local meta-log-peer-sync-documents--paths nil
  "Where the documents of the current buffer are, as (ID . FILE).")

(defun meta-log-peer-sync-documents--author (fields)
  "Return how to call the author that FIELDS name."
  (if (plist-get fields :name)
      (meta-log-peer-sync-core-plain (plist-get fields :name) 40)
    (meta-log-peer-sync-core-name (plist-get fields :peer_id))))

(defun meta-log-peer-sync-documents--short (revision)
  "Return the first digits of REVISION."
  (if (stringp revision) (substring revision 0 (min 8 (length revision))) ""))

(defun meta-log-peer-sync-documents--path (id)
  "Return the file of the row ID, or signal a `user-error'."
  (let ((path (cdr (assoc id meta-log-peer-sync-documents--paths))))
    (if (and (stringp path) (file-exists-p path))
        path
      (user-error "This document is not written to a file yet; g refreshes the list"))))

;;;; Documents

(defvar meta-log-peer-sync-documents-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map meta-log-peer-sync-list-mode-map)
    (define-key map (kbd "RET") #'meta-log-peer-sync-documents-open)
    (define-key map "v" #'meta-log-peer-sync-documents-view)
    (define-key map "h" #'meta-log-peer-sync-documents-history)
    (define-key map "x" #'meta-log-peer-sync-conflicts)
    (define-key map "D" #'meta-log-peer-sync-documents-show-deleted)
    map)
  "Keys of `meta-log-peer-sync-documents-mode'.")

(declare-function meta-log-peer-sync-conflicts "meta-log-peer-sync")

(define-derived-mode meta-log-peer-sync-documents-mode meta-log-peer-sync-list-mode
  "Documents"
  "Major mode for the list of documents.
\\{meta-log-peer-sync-documents-mode-map}"
  (setq tabulated-list-format [("Document" 36 t) ("State" 9 t) ("Author" 20 t)
                               ("Time" 21 t) ("Bytes" 9 nil :right-align t)
                               ("Revisions" 9 nil :right-align t)]
        tabulated-list-sort-key '("Document"))
  (tabulated-list-init-header))

(defun meta-log-peer-sync-documents--row (fields)
  "Return the row of the document that FIELDS describe."
  (list (plist-get fields :file)
        (vector (meta-log-peer-sync-core-plain (plist-get fields :file) 200)
                (meta-log-peer-sync-list-state
                 (cond ((eq (plist-get fields :deleted) t) "deleted")
                       ((eq (plist-get fields :conflict) t) "conflict")
                       (t "")))
                (meta-log-peer-sync-documents--author fields)
                (meta-log-peer-sync-core-time (plist-get fields :time))
                (format "%s" (or (plist-get fields :size) 0))
                (format "%s" (or (plist-get fields :revisions) 0)))))

(defun meta-log-peer-sync-documents--fetch (buffer)
  "Return a function that asks for the documents to show in BUFFER."
  (lambda (function failed)
    (meta-log-peer-sync-core-request
     "documents.list"
     (and (buffer-local-value 'meta-log-peer-sync-documents--deleted buffer)
          '(:deleted t))
     (lambda (answer)
       (when (buffer-live-p buffer)
         (with-current-buffer buffer
           (setq meta-log-peer-sync-documents--paths
                 (mapcar (lambda (fields) (cons (plist-get fields :file)
                                                (plist-get fields :path)))
                         (plist-get answer :documents))))
         (funcall function (meta-log-peer-sync-list-rows
                            buffer #'meta-log-peer-sync-documents--row
                            (plist-get answer :documents)))))
     failed)))

;;;###autoload
(defun meta-log-peer-sync-documents ()
  "List the documents; return the buffer."
  (interactive)
  (let ((name "*meta-log-peer-sync documents*"))
    (meta-log-peer-sync-list-show
     name #'meta-log-peer-sync-documents-mode
     (meta-log-peer-sync-documents--fetch (get-buffer-create name))
     '("document-changed" "conflict-detected" "sync-started" "sync-completed"
       "peer-trusted" "document-restored"))))

(defun meta-log-peer-sync-documents-open ()
  "Visit the document at point; it opens as inert text."
  (interactive)
  (find-file (meta-log-peer-sync-documents--path (meta-log-peer-sync-list-id))))

(defun meta-log-peer-sync-documents-show-deleted ()
  "Show deleted documents in this list, too, or no longer.
\\<meta-log-peer-sync-documents-mode-map>\\[meta-log-peer-sync-documents-history] \
shows what they were, and brings it back."
  (interactive)
  (unless (derived-mode-p 'meta-log-peer-sync-documents-mode)
    (user-error "This is for the list of documents; M-x meta-log-peer-sync-documents"))
  (setq meta-log-peer-sync-documents--deleted
        (not meta-log-peer-sync-documents--deleted))
  (revert-buffer)
  (message "Deleted documents are %s"
           (if meta-log-peer-sync-documents--deleted "shown, too" "not shown")))

(defun meta-log-peer-sync-documents-view ()
  "Show the document at point without visiting it."
  (interactive)
  (meta-log-peer-sync-view-file
   (meta-log-peer-sync-documents--path (meta-log-peer-sync-list-id))))

(defun meta-log-peer-sync-documents-history ()
  "List the revisions of the document at point."
  (interactive)
  (require 'meta-log-peer-sync-history)
  (meta-log-peer-sync-history-show (meta-log-peer-sync-list-id)))

;;;; What histories and conflicts need, too

(defun meta-log-peer-sync-documents-ask-restore (document revision ask)
  "Make REVISION of DOCUMENT the newest one, for everybody; with ASK, ask before."
  (unless (or (not ask)
              (y-or-n-p (format "Make %s the newest version of %s, for everybody? "
                                (meta-log-peer-sync-documents--short revision)
                                (meta-log-peer-sync-core-plain document))))
    (user-error "Nothing was restored"))
  (meta-log-peer-sync-restore document revision))

(defun meta-log-peer-sync-documents-export (document revision function)
  "Call FUNCTION with the name of a file that has REVISION of DOCUMENT."
  (meta-log-peer-sync-core-request
   "documents.export" (list :file document :revision revision)
   (lambda (answer) (funcall function (plist-get answer :path)))))

(provide 'meta-log-peer-sync-documents)
;;; meta-log-peer-sync-documents.el ends here
