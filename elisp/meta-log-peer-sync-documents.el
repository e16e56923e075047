;;; meta-log-peer-sync-documents.el --- Lists of documents, revisions and conflicts  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, tools

;;; Commentary:

;; M-x meta-log-peer-sync-documents lists what is shared.  From there, or by
;; M-x meta-log-peer-sync-history and M-x meta-log-peer-sync-conflicts, every
;; revision can be looked at and brought back.

;;; Code:

(require 'meta-log-peer-sync-list)

(declare-function meta-log-peer-sync-restore "meta-log-peer-sync")

(defvar-local meta-log-peer-sync-documents--name nil
  "Name of the document whose revisions the current buffer lists.")
(defvar-local meta-log-peer-sync-documents--paths nil
  "Where the documents or versions of the current buffer are, as (ID . FILE).")

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
                (if (eq (plist-get fields :conflict) t) "conflict" "")
                (meta-log-peer-sync-documents--author fields)
                (meta-log-peer-sync-core-plain (plist-get fields :time))
                (format "%s" (or (plist-get fields :size) 0))
                (format "%s" (or (plist-get fields :revisions) 0)))))

(defun meta-log-peer-sync-documents--fetch (buffer)
  "Return a function that asks for the documents to show in BUFFER."
  (lambda (function)
    (meta-log-peer-sync-core-request
     "documents.list" nil
     (lambda (answer)
       (when (buffer-live-p buffer)
         (with-current-buffer buffer
           (setq meta-log-peer-sync-documents--paths
                 (mapcar (lambda (fields) (cons (plist-get fields :file)
                                                (plist-get fields :path)))
                         (plist-get answer :documents)))))
       (funcall function (mapcar #'meta-log-peer-sync-documents--row
                                 (plist-get answer :documents)))))))

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

(defun meta-log-peer-sync-documents-view ()
  "Show the document or version at point without visiting it."
  (interactive)
  (meta-log-peer-sync-view-file
   (meta-log-peer-sync-documents--path (meta-log-peer-sync-list-id))))

(defun meta-log-peer-sync-documents-history ()
  "List the revisions of the document at point."
  (interactive)
  (meta-log-peer-sync-documents-show-history (meta-log-peer-sync-list-id)))

;;;; History

(defvar meta-log-peer-sync-documents-history-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map meta-log-peer-sync-list-mode-map)
    (define-key map (kbd "RET") #'meta-log-peer-sync-documents-view-revision)
    (define-key map "r" #'meta-log-peer-sync-documents-restore)
    map)
  "Keys of `meta-log-peer-sync-documents-history-mode'.")

(define-derived-mode meta-log-peer-sync-documents-history-mode
  meta-log-peer-sync-list-mode "History"
  "Major mode for the revisions of a document, newest first.
\\{meta-log-peer-sync-documents-history-mode-map}"
  (setq tabulated-list-format [("Revision" 10 nil) ("Time" 21 nil) ("Author" 20 nil)
                               ("Bytes" 9 nil :right-align t) ("State" 12 nil)]
        tabulated-list-sort-key nil)
  (tabulated-list-init-header))

(defun meta-log-peer-sync-documents-show-history (document)
  "List the revisions of DOCUMENT, newest first; return the buffer."
  (let ((buffer (meta-log-peer-sync-list-show
                 (format "*history: %s*" (meta-log-peer-sync-core-plain document))
                 #'meta-log-peer-sync-documents-history-mode
                 (lambda (function)
                   (meta-log-peer-sync-core-request
                    "documents.history" (list :file document)
                    (lambda (answer)
                      (funcall function
                               (nreverse (mapcar
                                          #'meta-log-peer-sync-documents--revision-row
                                          (plist-get answer :revisions)))))))
                 '("document-changed" "sync-started" "conflict-detected"
                   "document-restored"))))
    (with-current-buffer buffer
      (setq meta-log-peer-sync-documents--name document))
    buffer))

(defun meta-log-peer-sync-documents--revision-row (fields)
  "Return the row of the revision that FIELDS describe."
  (list (plist-get fields :revision)
        (vector (meta-log-peer-sync-documents--short (plist-get fields :revision))
                (concat (meta-log-peer-sync-core-plain (plist-get fields :time))
                        (if (equal (plist-get fields :clock) "unverified") "?" ""))
                (meta-log-peer-sync-documents--author fields)
                (format "%s" (or (plist-get fields :size) 0))
                (meta-log-peer-sync-core-plain (plist-get fields :state)))))

(defun meta-log-peer-sync-documents-view-revision ()
  "Show the text of the revision at point."
  (interactive)
  (meta-log-peer-sync-core-request
   "documents.export"
   (list :file meta-log-peer-sync-documents--name
         :revision (meta-log-peer-sync-list-id))
   (lambda (answer)
     (meta-log-peer-sync-view-file (plist-get answer :path)))))

(defun meta-log-peer-sync-documents--at-point ()
  "Return (DOCUMENT . REVISION) of the row at point."
  (let ((id (meta-log-peer-sync-list-id)))
    (if (consp id) id (cons meta-log-peer-sync-documents--name id))))

(defun meta-log-peer-sync-documents-restore (&optional document revision)
  "Make REVISION of DOCUMENT, default those at point, the newest one.
Interactively it asks first, because the version goes out to everybody."
  (interactive
   (pcase-let ((`(,document . ,revision) (meta-log-peer-sync-documents--at-point)))
     (unless (y-or-n-p (format "Make %s the newest version of %s, for everybody? "
                               (meta-log-peer-sync-documents--short revision)
                               (meta-log-peer-sync-core-plain document)))
       (user-error "Nothing was restored"))
     (list document revision)))
  (pcase-let ((`(,name . ,id) (if document (cons document revision)
                                (meta-log-peer-sync-documents--at-point))))
    (meta-log-peer-sync-restore name id)))

;;;; Conflicts

(defvar meta-log-peer-sync-documents-conflicts-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map meta-log-peer-sync-list-mode-map)
    (define-key map (kbd "RET") #'meta-log-peer-sync-documents-view)
    (define-key map "r" #'meta-log-peer-sync-documents-restore)
    map)
  "Keys of `meta-log-peer-sync-documents-conflicts-mode'.")

(define-derived-mode meta-log-peer-sync-documents-conflicts-mode
  meta-log-peer-sync-list-mode "Conflicts"
  "Major mode for documents with concurrent versions.
\\{meta-log-peer-sync-documents-conflicts-mode-map}"
  (setq tabulated-list-format [("Document" 36 t) ("Revision" 10 nil) ("Version" 12 t)
                               ("Author" 20 t) ("Time" 21 t)
                               ("Bytes" 9 nil :right-align t)]
        tabulated-list-sort-key '("Document"))
  (tabulated-list-init-header))

(defun meta-log-peer-sync-documents--version-row (conflict version)
  "Return (ROW . PATH) of VERSION of the document that CONFLICT is about."
  (let* ((file (plist-get conflict :file))
         (revision (plist-get version :revision))
         (id (cons file revision)))
    (cons (list id
                (vector (meta-log-peer-sync-core-plain file 200)
                        (meta-log-peer-sync-documents--short revision)
                        (if (equal revision (plist-get conflict :current)) "in place"
                          "concurrent")
                        (meta-log-peer-sync-documents--author version)
                        (meta-log-peer-sync-core-plain (plist-get version :time))
                        (format "%s" (or (plist-get version :size) 0))))
          (cons id (plist-get version :path)))))

(defun meta-log-peer-sync-documents--fetch-conflicts (buffer)
  "Return a function that asks for the conflicts to show in BUFFER."
  (lambda (function)
    (meta-log-peer-sync-core-request
     "conflicts.list" nil
     (lambda (answer)
       (let ((rows (cl-loop for conflict across (plist-get answer :conflicts)
                            append (mapcar
                                    (lambda (version)
                                      (meta-log-peer-sync-documents--version-row
                                       conflict version))
                                    (plist-get conflict :versions)))))
         (when (buffer-live-p buffer)
           (with-current-buffer buffer
             (setq meta-log-peer-sync-documents--paths (mapcar #'cdr rows))))
         (funcall function (mapcar #'car rows))
         (when (null rows) (message "There are no conflicts")))))))

(defun meta-log-peer-sync-documents-show-conflicts ()
  "List the documents with concurrent versions; return the buffer."
  (let ((name "*meta-log-peer-sync conflicts*"))
    (meta-log-peer-sync-list-show
     name #'meta-log-peer-sync-documents-conflicts-mode
     (meta-log-peer-sync-documents--fetch-conflicts (get-buffer-create name))
     '("conflict-detected" "document-changed" "document-restored"))))

(provide 'meta-log-peer-sync-documents)
;;; meta-log-peer-sync-documents.el ends here
